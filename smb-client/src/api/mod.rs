//! Thin, cloneable handles: client, session, tree, file, directory.

mod adapters;
mod client;
mod directory;
mod file;
mod info;
mod open;
mod path;
mod session;
mod tree;

pub use adapters::{FileReader, FileWriter};
pub use client::{Client, ClientBuilder};
pub use directory::{Directory, Entry};
pub use file::File;
pub use info::{Metadata, MetadataChange};
pub use open::OpenOptions;
pub use session::{ChannelInfo, Identity, Session};
pub use tree::Tree;
