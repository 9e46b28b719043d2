//! Which of the zones of one name is the one to publish in.

use super::NoZone;
use crate::cloudflare::{Activation, Zone};
use crate::identity::{AccountId, ZoneId, in_ascii};

/// Of the zones that were listed for a name, the active one; of several, the one in the connector's account.
///
/// # Errors
/// Why there is none.
pub fn choose(zones: &[Zone], name: &str, account: &AccountId) -> Result<ZoneId, NoZone> {
    let of_that_name = |zone: &&Zone| in_ascii(&zone.name).as_deref() == Some(name);
    let named: Vec<_> = zones.iter().filter(of_that_name).collect();
    let is_active = |zone: &&Zone| zone.activation == Activation::Active;
    let active: Vec<_> = named.iter().copied().filter(is_active).collect();
    let is_elsewhere = |zone: &&Zone| zone.activation == Activation::Elsewhere;
    let is_near = |zone: &&&Zone| zone.account.as_ref() == Some(account);
    match active.as_slice() {
        [] if named.is_empty() => Err(NoZone::NotFound),
        [] if named.iter().all(is_elsewhere) => Err(NoZone::ServedElsewhere),
        [] => Err(NoZone::Inactive),
        [zone] => Ok(zone.id.clone()),
        several => several
            .iter()
            .find(is_near)
            .map(|zone| zone.id.clone())
            .ok_or(NoZone::Ambiguous),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(digit: char, name: &str, activation: Activation, account: char) -> Zone {
        let id = |digit: char| digit.to_string().repeat(32);
        Zone {
            id: id(digit).parse().unwrap(),
            name: name.to_owned(),
            activation,
            account: id(account).parse().ok(),
        }
    }

    #[test]
    fn the_active_zone_is_chosen_and_of_several_the_nearest() {
        use Activation::{Active, Elsewhere, Inactive};
        let account: AccountId = "a".repeat(32).parse().unwrap();
        for (zones, expected) in [
            (vec![], Err(NoZone::NotFound)),
            (
                vec![zone('1', "other.com", Active, 'a')],
                Err(NoZone::NotFound),
            ),
            (
                vec![zone('1', "example.com", Inactive, 'a')],
                Err(NoZone::Inactive),
            ),
            (
                vec![zone('1', "example.com", Elsewhere, 'a')],
                Err(NoZone::ServedElsewhere),
            ),
            (
                vec![
                    zone('1', "example.com", Elsewhere, 'a'),
                    zone('2', "example.com", Active, 'b'),
                ],
                Ok('2'),
            ),
            (vec![zone('1', "Example.com.", Active, 'b')], Ok('1')),
            (vec![zone('1', "ｅxample．com", Active, 'b')], Ok('1')),
            (
                vec![
                    zone('1', "example.com", Inactive, 'a'),
                    zone('2', "example.com", Active, 'b'),
                ],
                Ok('2'),
            ),
            (
                vec![
                    zone('1', "example.com", Active, 'b'),
                    zone('2', "example.com", Active, 'a'),
                ],
                Ok('2'),
            ),
            (
                vec![
                    zone('1', "example.com", Active, 'b'),
                    zone('2', "example.com", Active, 'c'),
                ],
                Err(NoZone::Ambiguous),
            ),
        ] {
            let expected = expected.map(|digit| digit.to_string().repeat(32).parse().unwrap());
            assert_eq!(
                choose(&zones, "example.com", &account),
                expected,
                "{zones:?}"
            );
        }
    }
}
