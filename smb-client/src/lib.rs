//! An SMB3 client to embed.
//!
//! ```text
//!   Client ─ connect ─▶ Session ─ tree ─▶ Tree ─ open ─▶ File ─ read_at, write_at, streams
//!                          │                └─ read_dir ─▶ Directory
//!                          └ channels: one task each to read, write, keep alive
//!
//!   core/     decides: negotiation, keys, credits, protection, placement     (no I/O)
//!   driver/   moves bytes: queues, tasks, signatures
//!   transfer/ whole files, pipelined          migration/ streams with a digest
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), smb_client::Error> {
//! use smb_client::Client;
//!
//! let session = Client::builder().user("alice", "secret").connect("server").await?;
//! let tree = session.tree("share").await?;
//! let file = tree.create("dir/hello.txt").await?;
//! file.write_at(0, "hello").await?;
//! file.flush().await?;
//! file.close().await?;
//! assert_eq!(tree.open("dir/hello.txt").await?.read_at(0, 100).await?, "hello");
//! # Ok(())
//! # }
//! ```

mod api;
mod core;
mod driver;
mod error;
mod keylog;
pub mod migration;
mod options;
pub mod transfer;

pub use api::{
    Change, ChannelInfo, Client, ClientBuilder, Connector, Copied, CopyWay, Directory, Entry, File,
    FileReader, FileWriter, Identity, Lock, Metadata, MetadataChange, OpenOptions, Removed, Session, Space,
    Tree, Watch, is_same_path,
};
pub use core::placement::Inline;
pub use driver::Traffic;
pub use error::{Advice, Error, Executed, TransferError, UsageError};
pub use options::{Encryption, Signing};
