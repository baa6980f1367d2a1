//! A file as a stream.

use super::StreamWriter;
use crate::{
    api::Tree,
    error::{Error, TransferError},
    transfer::{FileSource, Summary, TransferOptions},
};
use std::{fs::File, path::Path, sync::Arc};

/// Sends the local file `image` as the stream `path` on `tree`, and commits it.
pub async fn send_image(
    tree: &Tree,
    path: &str,
    image: &Path,
    options: &TransferOptions,
) -> Result<Summary, Error> {
    let image = image.to_owned();
    let opened = tokio::task::spawn_blocking(move || File::open(image).and_then(FileSource::new)).await;
    let opened = opened.map_err(|_| TransferError::Worker)?;
    let mut source = opened.map_err(|error| TransferError::Source { offset: 0, error: Arc::new(error) })?;
    let mut stream = StreamWriter::create(tree, path).await?;
    stream.send(&mut source, options).await?;
    stream.commit().await
}
