//! Folders and files that hold evidence: for whoever made them alone.
//!
//! Invariant: nothing that is written here is readable by others at any moment, since the modes are given as the folder or
//! file is made. Folders that were there before keep their modes.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

#[cfg(unix)]
const FOLDER_MODE: u32 = 0o700;
#[cfg(unix)]
const FILE_MODE: u32 = 0o600;

/// Makes a folder, and those above it that are missing.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
    builder.create(path)
}

/// Makes an empty file, in the place of one that was there, and the folders above it.
pub(crate) fn make_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    let file = options.open(path)?;
    // One that was there keeps its mode otherwise.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(FILE_MODE))?;
    Ok(file)
}

/// Writes a file whole.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    make_file(path)?.write_all(bytes)
}

/// Writes a file under another name beside its own, and gives it its own once all of it is there: whoever finds the file
/// finds it whole.
pub(crate) fn put_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = part_of(path);
    let mut file = make_file(&part)?;
    file.write_all(bytes)?;
    // The name must not reach the disk before what it names.
    file.sync_all()?;
    fs::rename(part, path)
}

fn part_of(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_its_makers_alone() {
        let root = std::env::temp_dir().join(format!("ledgerline-private-{}", std::process::id()));
        let file = root.join("keys/a.vkey");
        write_file(&file, b"long before").unwrap();
        assert_eq!([mode(&root), mode(&root.join("keys")), mode(&file)], [0o700, 0o700, 0o600]);
        fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        write_file(&file, b"after").unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"after".to_vec()));
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn a_file_that_was_not_written_to_its_end_has_no_name() {
        let root = std::env::temp_dir().join(format!("ledgerline-put-{}", std::process::id()));
        let file = root.join("versions.jsonl");
        put_file(&file, b"whole").unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (0o600, b"whole".to_vec()));
        assert!(!part_of(&file).exists(), "nothing is left beside it");
        // What cannot be written stays away from what was there.
        fs::create_dir(part_of(&file)).unwrap();
        assert!(put_file(&file, b"half").is_err());
        assert_eq!(fs::read(&file).unwrap(), b"whole");
        fs::remove_dir_all(&root).unwrap();
    }
}
