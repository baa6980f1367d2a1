//! Other spellings are found in directories that the host changes meanwhile.

use super::*;

/// Whether a name that is not spelled so is found.
async fn found(share: &Client, at: &str) -> bool {
    share.open_as(at, Type::Any, Existing::Required, false, false).await.is_ok()
}

#[tokio::test]
async fn what_the_host_does_is_seen() {
    let home = Home::new();
    let backend = home.share();
    let share = Client::new(Arc::new(backend.clone()));
    assert!(!found(&share, "ONE").await);
    assert_eq!(backend.share.root.names().remembered(), 1);
    fs::write(home.at("one"), b"").unwrap();
    assert!(found(&share, "ONE").await);
    fs::rename(home.at("one"), home.at("two")).unwrap();
    assert!(!found(&share, "ONE").await && found(&share, "TWO").await);
    fs::write(home.at("Two"), b"").unwrap();
    fs::remove_file(home.at("two")).unwrap();
    assert!(found(&share, "TWO").await, "the other of two spellings is left");
    fs::remove_file(home.at("Two")).unwrap();
    assert!(!found(&share, "TWO").await);
}

#[tokio::test]
async fn a_directory_that_was_made_again_is_read_again() {
    let home = Home::new();
    let backend = home.share();
    let share = Client::new(Arc::new(backend.clone()));
    for name in ["a", "b"] {
        fs::create_dir(home.at("d")).unwrap();
        fs::write(home.at("d").join(name), b"").unwrap();
        assert!(found(&share, &format!("d/{}", name.to_uppercase())).await);
        assert!(!found(&share, "d/C").await);
        fs::remove_dir_all(home.at("d")).unwrap();
    }
    assert!(!found(&share, "D/A").await);
    assert_eq!(backend.share.root.names().remembered(), 1, "the root; what is gone is forgotten");
}

#[tokio::test]
async fn no_more_directories_are_remembered_than_agreed() {
    let home = Home::new();
    let backend = home.share();
    let share = Client::new(Arc::new(backend.clone()));
    for number in 0..300 {
        let directory = home.at(&number.to_string());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("f"), b"").unwrap();
        assert!(found(&share, &format!("{number}/F")).await);
    }
    assert_eq!(backend.share.root.names().remembered(), 256);
    assert!(found(&share, "0/F").await);
}
