//! Two replicas of which never two act: one is put to sleep, or cut off from one side or the other, at the worst moments,
//! and wakes up to say nothing. Handing over, taking over, and a leader whose renewals fail are in `tests/operator/`.

mod pair;
mod pauses;
mod renewals;
mod silence;
