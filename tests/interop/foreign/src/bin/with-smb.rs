//! The crate `smb` on a server: `with-smb ADDR:PORT USER PASSWORD SHARE [plain|sealed]`. Fails at the first thing that is not as it
//! should be.

use foreign_clients::{Called, SIZES, bytes};
use smb::{
    Client, ClientConfig, ConnectionConfig, CreateOptions, FileAccessMask, FileCreateArgs, UncPath,
    connection::EncryptionMode,
};
use std::net::SocketAddr;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let called = Called::from_arguments();
    let address: SocketAddr = called.address.parse()?;
    let sealed = called.rest.iter().any(|w| w == "sealed");
    let mut connection = ConnectionConfig { port: Some(address.port()), ..ConnectionConfig::default() };
    connection.encryption_mode = if sealed { EncryptionMode::Required } else { EncryptionMode::Allowed };
    connection.auth_methods.kerberos = false;
    let client = Client::new(ClientConfig { dfs: false, connection, ..ClientConfig::default() });
    let share = UncPath::new(&address.ip().to_string())?.with_share(&called.share)?;
    client.share_connect(&share, &called.user, called.password.clone()).await?;
    let directory =
        FileCreateArgs::make_create_new(Default::default(), CreateOptions::new().with_directory_file(true));
    client.create_file(&share.clone().with_path("smb"), &directory).await?.unwrap_dir().close().await?;
    for (seed, size) in SIZES.into_iter().enumerate() {
        let path = share.clone().with_path(&format!("smb/f{size}"));
        let data = bytes(seed as u64, size);
        let new = FileCreateArgs::make_create_new(Default::default(), Default::default());
        let file = client.create_file(&path, &new).await?.unwrap_file();
        let mut at = 0;
        while at < size {
            let end = size.min(at + (1 << 20));
            at += file.write_block(&data[at..end], at as u64, None).await?;
        }
        file.flush().await?;
        file.close().await?;
        let old = FileCreateArgs::make_open_existing(FileAccessMask::new().with_generic_read(true));
        let file = client.create_file(&path, &old).await?.unwrap_file();
        let (mut back, mut at) = (vec![0; size], 0);
        while at < size {
            let end = size.min(at + (1 << 20));
            let got = file.read_block(&mut back[at..end], at as u64, None, false).await?;
            assert!(got > 0, "{path} ends at {at} of {size}");
            at += got;
        }
        assert!(back == data, "{path} differs");
        file.close().await?;
    }
    client.close().await?;
    println!("smb: all as it should be");
    Ok(())
}
