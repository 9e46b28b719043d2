//! What a test has counted is shown also where all is well: the macros' words are kept back then.

use std::io::Write as _;

/// Tells what was counted.
pub(crate) fn tell(count: &str) {
    // Whoever has closed the stream does not want to know.
    let _ = writeln!(std::io::stderr(), "{count}");
}
