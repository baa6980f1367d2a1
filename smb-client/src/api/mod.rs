//! Thin, cloneable handles: client, session, tree, file, directory.

mod adapters;
mod client;
mod dial;
mod directory;
mod file;
mod info;
mod open;
mod path;
mod security;
mod session;
mod shares;
mod tree;
mod watch;

pub use adapters::{FileReader, FileWriter};
pub use client::{Client, ClientBuilder};
pub use dial::Connector;
pub use directory::{Directory, Entry};
pub use file::{File, Lock};
pub use info::{Metadata, MetadataChange, Space};
pub use open::OpenOptions;
pub use path::is_same_path;
pub(crate) use path::to_wire;
pub use session::{ChannelInfo, Identity, Session};
pub use tree::copy::copy as copy_file;
pub(crate) use tree::whole::SMALL;
pub use tree::{Copied, CopyWay, Removed, Tree};
pub use watch::{Change, Watch};
