//! migrate send.

use crate::{
    args::{Common, VerifyMode},
    copy::source,
    report::{Bar, Failure, summary},
    url::Url,
};
use smb_client::migration::StreamWriter;
use std::path::Path;

pub async fn send(common: &Common, file: Option<&Path>, url: &Url) -> Result<(), Failure> {
    if matches!(common.verify, VerifyMode::Readback) {
        let wrong = "a stream cannot be read back: its digest is compared where the server can";
        return Err(Failure::Usage(wrong.to_owned()));
    }
    let mut source = source(file.unwrap_or(Path::new("-")))?;
    let (session, tree) = common.tree(url).await?;
    let mut stream = StreamWriter::create(&tree, &url.path).await?;
    let bar = Bar::new(common);
    stream.send(source.as_mut(), &common.transfer(&bar.progress)).await?;
    let done = stream.commit().await?;
    drop(bar);
    summary(common, "migrate send", &url.to_string(), &done, false);
    session.log_off().await;
    Ok(())
}
