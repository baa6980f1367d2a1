//! migrate send and receive.

use crate::{
    args::{Common, VerifyMode},
    copy::{fetch, source},
    report::{Bar, Extra, Failure, summary},
    url::Url,
};
use smb_client::migration::StreamWriter;
use std::path::Path;

pub async fn send(common: &Common, file: Option<&Path>, url: &Url) -> Result<(), Failure> {
    if matches!(common.verify, VerifyMode::Readback) {
        let wrong = "a stream cannot be read back: its digest is compared where the server can";
        return Err(Failure::Usage(wrong.to_owned()));
    }
    common.refuse_resume("is for get and put: a stream begins anew")?;
    let mut source = source(file.unwrap_or(Path::new("-")))?;
    let (session, tree) = common.tree(url).await?;
    let mut stream = StreamWriter::create(&tree, &url.path).await?;
    let bar = Bar::new(common);
    stream.send(source.as_mut(), &common.transfer(&bar.progress)).await?;
    let done = stream.commit().await?;
    drop(bar);
    summary(common, "migrate send", &url.to_string(), &done, Extra::Nothing);
    session.log_off().await;
    Ok(())
}

pub async fn receive(common: &Common, url: &Url, file: Option<&Path>) -> Result<(), Failure> {
    fetch(common, "migrate receive", url, file.unwrap_or(Path::new("-"))).await
}
