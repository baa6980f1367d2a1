//! Writes a file, lists its directory, reads the file back.
//!
//! `cargo run -p smb-client --example hello -- 127.0.0.1:4450 alice secret share`

use smb_client::{Client, Error};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, user, password, share] = arguments.as_slice() else {
        eprintln!("usage: hello ADDRESS USER PASSWORD SHARE");
        std::process::exit(2);
    };
    let session = Client::builder().user(user, password).connect(address).await?;
    let tree = session.tree(share).await?;
    let file = tree.create("hello.txt").await?;
    file.write_at(0, "hello").await?;
    file.flush().await?;
    file.close().await?;
    let mut directory = tree.read_dir("").await?;
    while let Some(entry) = directory.next().await {
        let entry = entry?;
        println!("{:>12}  {}", entry.metadata.size, entry.name);
    }
    let read = tree.open("hello.txt").await?.read_at(0, 100).await?;
    println!("{}", String::from_utf8_lossy(&read));
    tree.remove_file("hello.txt").await?;
    session.log_off().await;
    Ok(())
}
