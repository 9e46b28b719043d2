//! The program as it is in the image.

use std::path::Path;

use walkdir::WalkDir;

use crate::Failure;
use crate::figure::{Figure, Goal};

/// The program, and all that lies in its folder: together they are what the image is made of.
pub(crate) fn measure(program: &Path) -> Result<Vec<Figure>, Failure> {
    let folder = program.parent().ok_or("the program is in no folder")?;
    let mut image = 0;
    for entry in WalkDir::new(folder) {
        let file = entry?.metadata()?;
        image += if file.is_file() { file.len() } else { 0 };
    }
    let program = std::fs::metadata(program)?.len();
    let figure = |name, size, limit| {
        Figure::new("the image", name, mebibytes(size), "MiB").wanted(Goal::AtMost(limit))
    };
    Ok(vec![
        figure("the program", program, 12.0),
        figure("all its files", image, 13.0),
    ])
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "no program is that large")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
