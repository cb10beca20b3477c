//! Folders that others remove when they are empty, while we make them.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::Path,
};

/// Makes a folder, and the one around it, which nobody else may write. They may be there.
pub fn make_with_parent(folder: &Path) -> io::Result<()> {
    loop {
        if let Some(parent) = folder.parent() {
            make(parent)?;
        }
        match make(folder) {
            // Somebody who needed the parent no longer has removed it just now.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            made => return made,
        }
    }
}

fn make(folder: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Whether others decide what is in it, or where it leads. One that is not there is nobody's.
pub fn is_somebody_elses(folder: &Path) -> bool {
    let found = fs::symlink_metadata(folder);
    found.is_ok_and(|found| {
        !found.is_dir() || found.mode() & 0o022 != 0 || found.uid() != super::effective_user()
    })
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        thread,
    };

    use super::*;

    #[test]
    fn a_folder_is_made_while_others_remove_what_is_around_it() {
        let root = tempfile::tempdir().unwrap();
        let parent = root.path().join("parent");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _ = fs::remove_dir(&parent);
                }
            });
            for number in 0..100 {
                let folder = parent.join(number.to_string());
                let made = make_with_parent(&folder);
                let is_there = folder.is_dir();
                let removed = fs::remove_dir(&folder);
                if made.is_err() || !is_there || removed.is_err() {
                    is_over.store(true, Ordering::Relaxed);
                    panic!("{number}: {made:?} {removed:?}");
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn what_others_may_change_is_told() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("own");
        assert!(!is_somebody_elses(&own));
        make_with_parent(&own).unwrap();
        assert!(!is_somebody_elses(&own));
        let link = root.path().join("link");
        std::os::unix::fs::symlink(&own, &link).unwrap();
        assert!(is_somebody_elses(&link));
        fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        assert!(is_somebody_elses(&own));
    }

    #[test]
    fn without_a_place_for_them_there_are_none() {
        let root = tempfile::tempdir().unwrap();
        let failed = make_with_parent(&root.path().join("no/such/place")).unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::NotFound);
    }
}
