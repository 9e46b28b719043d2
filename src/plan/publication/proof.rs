//! What a list of the zone's records shows of ours, and what it proves. Reads lag writes, and the process that wrote may have
//! ended: so absence counts only some time after this process learned of the record.

use super::comment;
use super::memory::RecordsSeen;
use crate::clock::Moment;
use crate::cloudflare::{Endpoint, TxtRecord};
use crate::plan::World;
use crate::plan::memory::Trouble;
use crate::plan::world::Record;

/// Our own record, by its ID, or by the comment if the ID was lost and `lost` holds of it. One that we have deleted may be
/// shown for a while.
pub(super) fn own<'a>(
    world: &World<'_>,
    record: &Record,
    seen: &'a RecordsSeen,
    lost: impl Fn(&TxtRecord) -> bool,
) -> Option<&'a TxtRecord> {
    let placement = record.placement.as_ref()?;
    let deleted = world.memory.publishing.deleted.as_ref();
    let comment = comment(world);
    seen.records
        .iter()
        .filter(|found| is_at(world, found) && Some(&found.id) != deleted)
        .find(|found| match &placement.record {
            Some(id) => found.id == *id,
            None => found.comment == comment && found.says_a_code() && lost(found),
        })
}

/// Whether the record is at the domain itself, whatever else was listed.
pub(super) fn is_at(world: &World<'_>, found: &TxtRecord) -> bool {
    world.desired.domain.is_named(&found.name)
}

/// Until when it is unknown whether a record that is not shown is not there: reads lag writes.
pub(super) fn unproved_until(world: &World<'_>, seen: &RecordsSeen) -> Option<Moment> {
    let publishing = &world.memory.publishing;
    // What another process has created is as new as can be.
    let since = publishing.placed_since.unwrap_or(world.now);
    let since = publishing.acted_at.map_or(since, |acted| acted.max(since));
    let due = since + world.timing.difference_confirmation;
    if seen.at < due {
        return Some(due);
    }
    seen.gap.map(|_| seen.at + world.timing.poll_unverified)
}

/// The failures of lists of records by which there is no such zone, if they show that. One answer may be a mistake on the way,
/// and what is forgotten on it would be left behind.
pub(super) fn is_without_zone<'a>(world: &World<'a>) -> Option<&'a Trouble> {
    let publishing = &world.memory.publishing;
    let missing = publishing.zone_missing_since?;
    publishing
        .trouble(Endpoint::ListRecords)
        .filter(|trouble| trouble.last.since(missing) >= world.timing.absence_confirmation)
}
