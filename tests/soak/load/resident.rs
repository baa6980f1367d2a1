//! A session that stays from beginning to end: what it holds must neither be lost nor grow.

use crate::{PASSWORD, SHARES, USER, Wrong, expect};
use smb_client::{Client, File, OpenOptions, Session};
use smb_tests::random_bytes;

/// One session with a file open on each share.
pub struct Resident {
    session: Session,
    files: Vec<File>,
    data: Vec<u8>,
}

impl Resident {
    /// Logs on and opens.
    pub async fn start(address: &str) -> Result<Self, Wrong> {
        let session = Client::builder().user(USER, PASSWORD).connect(address).await?;
        let (mut files, data) = (Vec::new(), random_bytes(300_000, 7));
        for share in SHARES {
            let tree = session.tree(share).await?;
            let file = OpenOptions::read_write().open(&tree, "resident").await?;
            file.write_at(0, data.clone()).await?;
            files.push(file);
        }
        Ok(Self { session, files, data })
    }

    /// How many opens it holds.
    pub fn opens(&self) -> usize {
        self.files.len()
    }

    /// It is still connected, and its files are what they were.
    pub async fn check(&self) -> Result<(), Wrong> {
        self.session.echo().await?;
        for file in &self.files {
            let found = file.read_at(0, self.data.len() + 1).await?;
            expect(found == self.data, || format!("{} of the resident differs", file.name()))?;
        }
        Ok(())
    }
}
