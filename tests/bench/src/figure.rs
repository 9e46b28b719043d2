//! A figure, what it is compared with, and how both are told.

use std::fmt::{self, Display, Write as _};

use serde::Serialize;

/// One thing that was measured.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figure {
    /// Where it was measured, such as `1000 objects in 10 accounts`.
    pub(crate) scene: String,
    /// What was measured.
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// The least that the same could cost, or what it may cost at most.
    floor: Option<f64>,
    /// What is wanted of it.
    goal: Option<Goal>,
}

/// What is wanted of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// It is the floor itself.
    Floor,
    /// It is no more than this.
    AtMost(f64),
    /// It is no more than this many times the floor.
    TimesFloorAtMost(f64),
    /// It is no less than this share of the floor.
    TimesFloorAtLeast(f64),
}

impl Figure {
    pub(crate) fn new(scene: &str, name: &str, value: f64, unit: &'static str) -> Self {
        Self {
            scene: scene.to_owned(),
            name: name.to_owned(),
            value,
            unit,
            floor: None,
            goal: None,
        }
    }

    /// How many there were.
    pub(crate) fn count(scene: &str, name: &str, count: usize) -> Self {
        Self::new(scene, name, whole(count), "")
    }

    pub(crate) fn beside(self, floor: f64) -> Self {
        Self {
            floor: Some(floor),
            ..self
        }
    }

    pub(crate) fn wanted(self, goal: Goal) -> Self {
        Self {
            goal: Some(goal),
            ..self
        }
    }

    /// What it is compared with.
    pub(crate) const fn floor(&self) -> Option<f64> {
        self.floor
    }

    fn ratio(&self) -> Option<f64> {
        self.floor
            .filter(|floor| *floor > 0.0)
            .map(|floor| self.value / floor)
    }

    /// Whether it is as it is wanted; `None` if nothing is wanted of it.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let times = |limit: f64| self.floor.map(|floor| floor * limit);
        Some(match self.goal? {
            Goal::Floor => self
                .floor
                .is_some_and(|floor| floor.total_cmp(&self.value).is_eq()),
            Goal::AtMost(limit) => self.value <= limit,
            Goal::TimesFloorAtMost(limit) => times(limit).is_some_and(|most| self.value <= most),
            Goal::TimesFloorAtLeast(limit) => times(limit).is_some_and(|least| self.value >= least),
        })
    }
}

impl Display for Goal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor => write!(formatter, "the floor"),
            Self::AtMost(limit) => write!(formatter, "at most {}", short(*limit)),
            Self::TimesFloorAtMost(limit) => write!(formatter, "at most {} x", short(*limit)),
            Self::TimesFloorAtLeast(limit) => write!(formatter, "at least {} x", short(*limit)),
        }
    }
}

/// The figures as a table for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let header = ["scene", "figure", "value", "floor", "ratio", "wanted", ""];
    let mut rows = vec![header.map(str::to_owned)];
    for figure in figures {
        let met = match figure.is_met() {
            None => "",
            Some(true) => "met",
            Some(false) => "NOT MET",
        };
        rows.push([
            figure.scene.clone(),
            figure.name.clone(),
            format!("{} {}", short(figure.value), figure.unit),
            figure.floor.map(short).unwrap_or_default(),
            figure.ratio().map(short).unwrap_or_default(),
            figure.goal.map(|goal| goal.to_string()).unwrap_or_default(),
            met.to_owned(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        let _ = writeln!(text, "{}", line.join("  ").trim_end());
    }
    text
}

/// A number with no more digits than mean something.
fn short(number: f64) -> String {
    let rounded = (number * 1000.0).round() / 1000.0;
    match number.abs() {
        size if size >= 100.0 || rounded.fract() == 0.0 => format!("{number:.0}"),
        size if size >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// A count as a figure's value.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn whole(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_on_its_own_side_only() {
        for (value, goal, met) in [
            (10.0, Goal::Floor, true),
            (10.1, Goal::Floor, false),
            (9.9, Goal::Floor, false),
            (3.0, Goal::AtMost(3.0), true),
            (3.1, Goal::AtMost(3.0), false),
            (15.0, Goal::TimesFloorAtMost(1.5), true),
            (15.1, Goal::TimesFloorAtMost(1.5), false),
            (7.0, Goal::TimesFloorAtLeast(0.7), true),
            (6.9, Goal::TimesFloorAtLeast(0.7), false),
        ] {
            let figure = Figure::new("a scene", "a figure", value, "s").beside(10.0);
            assert_eq!(figure.is_met(), None);
            assert_eq!(figure.wanted(goal).is_met(), Some(met), "{value} {goal:?}");
        }
        let alone = Figure::new("a scene", "a figure", 1.0, "s");
        assert_eq!(
            alone.wanted(Goal::TimesFloorAtMost(1.5)).is_met(),
            Some(false)
        );
    }

    #[test]
    fn the_table_names_what_is_not_met() {
        let figures = [
            Figure::count("ten objects", "POSTs", 10)
                .beside(10.0)
                .wanted(Goal::Floor),
            Figure::new("ten objects", "memory", 21.537, "MiB").wanted(Goal::AtMost(20.0)),
        ];
        let table = table(&figures);
        let cells: Vec<Vec<&str>> = table
            .lines()
            .map(|line| {
                line.split("  ")
                    .map(str::trim)
                    .filter(|cell| !cell.is_empty())
                    .collect()
            })
            .collect();
        assert_eq!(
            cells[1],
            ["ten objects", "POSTs", "10", "10", "1", "the floor", "met"]
        );
        assert_eq!(
            cells[2],
            [
                "ten objects",
                "memory",
                "21.54 MiB",
                "at most 20",
                "NOT MET"
            ]
        );
    }
}
