//! How a figure grows with the number of objects: what costs more than in proportion will one day cost too much.

use crate::figure::{Figure, Goal};

/// What grows: times, memory, and use of the processor. Counts have floors of their own.
const GROWING: [&str; 3] = ["s", "MiB", "% of a core"];

/// How much more than in proportion is within what two runs of the same differ by.
const TOLERANCE: f64 = 1.1;

/// The figures of a population beside those of one with so many `times` the objects. Where a figure has a floor that grows faster
/// than that, it is that of the machine and of what runs on it beside the operator.
pub(crate) fn compare(small: &[Figure], large: &[Figure], times: f64) -> Vec<Figure> {
    let grows = |figure: &&Figure| GROWING.contains(&figure.unit) && figure.value > 0.0;
    let both = small.iter().filter(grows).filter_map(|small| {
        let large = large.iter().find(|large| large.name == small.name)?;
        let scene = format!("{} to {}", small.scene, large.scene);
        let growth = Figure::new(&scene, &small.name, large.value / small.value, "times");
        let of_floor = small.floor().zip(large.floor());
        let of_floor = of_floor.map_or(times, |(small, large)| large / small);
        Some(
            growth
                .beside(times.max(of_floor))
                .wanted(Goal::TimesFloorAtMost(TOLERANCE)),
        )
    });
    both.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_in_proportion_is_well_and_what_grows_faster_is_not() {
        let figures = |creation: f64, restart: f64| {
            [
                Figure::new("some", "creation", creation, "s"),
                Figure::new("some", "restart", restart, "s"),
                Figure::count("some", "POSTs", 1000),
            ]
        };
        let growth = compare(&figures(2.0, 1.0), &figures(21.0, 30.0), 10.0);
        let met: Vec<_> = growth.iter().map(Figure::is_met).collect();
        assert_eq!(met, [Some(true), Some(false)]);
    }

    #[test]
    fn what_grows_like_its_floor_is_well() {
        let creation =
            |took: f64, floor: f64| [Figure::new("some", "creation", took, "s").beside(floor)];
        for (took, floor, met) in [
            (25.0, 12.0, true),
            (27.0, 12.0, false),
            (21.0, 5.0, true),
            (23.0, 5.0, false),
        ] {
            let growth = compare(&creation(2.0, 1.0), &creation(took, floor), 10.0);
            assert_eq!(growth[0].is_met(), Some(met), "{took} beside {floor}");
        }
    }
}
