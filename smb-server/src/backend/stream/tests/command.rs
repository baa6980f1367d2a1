//! Commands as consumers: what is committed is whole.

use super::*;
use std::{
    fs,
    path::{Path, PathBuf},
};

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A share whose streams go to `command`, which runs in the place.
    fn client(&self, command: &str, options: StreamOptions) -> Client {
        let directory = self.directory.path().display();
        client(CommandConsumer::new(format!("cd '{directory}' && {{ {command} ; }}")), options)
    }
}

const LARGE: StreamOptions = StreamOptions { window: 4 << 20, ..SMALL };

/// Until the stream's command was killed and reaped.
async fn gone(client: &Client) {
    while !client.names("").await.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn content() -> Vec<u8> {
    (0..3_000_000u32)
        .flat_map(|i| (i.wrapping_mul(2_654_435_761) >> 24).to_le_bytes().into_iter().take(1))
        .collect()
}

async fn send(sender: &dyn Handle, content: &[u8]) -> Result<()> {
    let mut offset = 0;
    for chunk in content.chunks(65_536) {
        put(sender, offset, chunk).await?;
        offset += u64::try_from(chunk.len()).unwrap();
    }
    Ok(())
}

#[tokio::test]
async fn a_whole_stream_is_committed() {
    let place = Place::new();
    let client = place.client(r#"cat >"$SMB_STREAM_NAME""#, LARGE);
    let sender = begin(&client, "disk.img").await.unwrap();
    let content = content();
    send(sender.as_ref(), &content).await.unwrap();
    sender.expect(announced(&content)).await.unwrap();
    sender.flush().await.unwrap();
    assert!(fs::read(place.at("disk.img")).unwrap() == content, "it is all there once the flush succeeds");
    sender.close(true).await.unwrap();
}

#[tokio::test]
async fn names_are_not_part_of_the_command() {
    let place = Place::new();
    let client = place.client(r#"cat >"$SMB_STREAM_NAME""#, ON_CLOSE);
    let name = "$(touch owned); touch owned; `touch owned` '";
    let sender = begin(&client, name).await.unwrap();
    put(sender.as_ref(), 0, b"x").await.unwrap();
    sender.close(true).await.unwrap();
    assert_eq!(fs::read(place.at(name)).unwrap(), b"x");
    assert!(!place.at("owned").exists());
}

/// Commands that would say "done" at the end of their input, each in its own way.
const COMMITTERS: [&str; 4] = [
    "cat >part && mv part done",
    "cat | cat >part; mv part done",
    "exec 3<&0; cat <&3 >part && mv part done & wait $!",
    "exec sh -c 'cat >part; mv part done'",
];

/// What the sender got done before it died.
const PHASES: [&str; 5] = ["nothing", "some", "some with a gap", "all", "all and announced"];

async fn until(phase: &str, sender: &dyn Handle, content: &[u8]) {
    let (half, rest) = content.split_at(content.len() / 2);
    match phase {
        "nothing" => {}
        "some" => send(sender, half).await.unwrap(),
        "some with a gap" => {
            send(sender, half).await.unwrap();
            let offset = u64::try_from(half.len()).unwrap() + 1;
            put(sender, offset, &rest[..1000]).await.unwrap();
        }
        _ => {
            send(sender, content).await.unwrap();
            if phase == "all and announced" {
                sender.expect(announced(content)).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_sender_that_dies_commits_nothing() {
    let content = content();
    for command in COMMITTERS {
        for phase in PHASES {
            for lost in [true, false] {
                let place = Place::new();
                let client = place.client(command, LARGE);
                let sender = begin(&client, "s").await.unwrap();
                until(phase, sender.as_ref(), &content).await;
                if lost {
                    sender.close(false).await.unwrap();
                }
                drop(sender);
                gone(&client).await;
                assert!(!place.at("done").exists(), "{command}: {phase}");
            }
        }
    }
}

#[tokio::test]
async fn each_of_these_commands_does_commit_a_whole_stream() {
    for command in COMMITTERS {
        let place = Place::new();
        let client = place.client(command, LARGE);
        let sender = begin(&client, "s").await.unwrap();
        let content = content();
        send(sender.as_ref(), &content).await.unwrap();
        sender.flush().await.unwrap();
        assert!(fs::read(place.at("done")).unwrap() == content, "{command}");
    }
}

#[tokio::test]
async fn a_short_stream_is_not_committed_and_its_command_is_killed() {
    let place = Place::new();
    let client = place.client("cat >part && mv part done", LARGE);
    let content = content();
    let sender = begin(&client, "s").await.unwrap();
    send(sender.as_ref(), &content[..1_000_000]).await.unwrap();
    sender.expect(announced(&content)).await.unwrap();
    assert_eq!(sender.flush().await, Err(NtStatus::DATA_ERROR));
    assert!(!place.at("done").exists());
}

#[tokio::test]
async fn the_exit_status_decides() {
    let place = Place::new();
    for (command, outcome) in [
        ("cat >/dev/null", Ok(())),
        ("cat >/dev/null; exit 7", Err(NtStatus::UNSUCCESSFUL)),
        ("cat >/dev/null; kill -9 $$", Err(NtStatus::UNSUCCESSFUL)),
        ("cat >/no/such/place", Err(NtStatus::PIPE_BROKEN)),
        ("exit 0", Err(NtStatus::PIPE_BROKEN)),
        ("head -c 10 >/dev/null", Err(NtStatus::PIPE_BROKEN)),
        ("exec <&-; sleep 100", Err(NtStatus::PIPE_BROKEN)),
    ] {
        let client = place.client(command, LARGE);
        let sender = begin(&client, "s").await.unwrap();
        // Where the command ends early, some write may be told already.
        let sent = send(sender.as_ref(), &content()).await;
        let flushed = sender.flush().await;
        assert_eq!(sent.and(flushed), outcome, "{command}");
        drop(sender);
        gone(&client).await;
    }
}

#[tokio::test]
async fn a_command_that_leaves_input_unread_confirms_nothing() {
    let place = Place::new();
    for command in ["exit 0", "head -c 1 >/dev/null", "while [ ! -e flushed ]; do sleep 0.01; done"] {
        let client = place.client(command, LARGE);
        let sender = begin(&client, "s").await.unwrap();
        let _ = put(sender.as_ref(), 0, b"less than a pipe holds").await;
        let flush = tokio::spawn(async move { sender.flush().await });
        fs::write(place.at("flushed"), b"").unwrap();
        assert_eq!(flush.await.unwrap(), Err(NtStatus::PIPE_BROKEN), "{command}");
    }
}

fn is_alive(pid: &Path) -> bool {
    let pid = fs::read_to_string(pid).unwrap();
    Path::new("/proc").join(pid.trim()).exists()
}

#[tokio::test]
async fn a_command_that_never_reads_holds_the_sender_back_and_dies_with_it() {
    let place = Place::new();
    let client = place.client("echo $$ >pid; while :; do sleep 1; done", LARGE);
    let sender = begin(&client, "s").await.unwrap();
    let content = vec![0; 16 << 20];
    let sending = tokio::spawn({
        let sender = sender.clone();
        async move { send(sender.as_ref(), &content).await }
    });
    while fs::read_to_string(place.at("pid")).unwrap_or_default().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // It stops when the pipe and the window are full.
    let mut received = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = sender.metadata().await.unwrap().end_of_file;
        if now == received && now > 0 {
            break;
        }
        received = now;
    }
    assert!(received <= LARGE.window + (2 << 20), "{received} bytes are held");
    assert!(!sending.is_finished() && is_alive(&place.at("pid")));
    sender.close(false).await.unwrap();
    assert_eq!(sending.await.unwrap(), Err(NtStatus::REQUEST_ABORTED));
    drop(sender);
    gone(&client).await;
    assert!(!is_alive(&place.at("pid")));
}

#[test]
fn the_command_dies_with_the_runtime() {
    let place = Place::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = place.client("echo $$ >pid; cat >part; mv part done", LARGE);
        let sender = begin(&client, "s").await.unwrap();
        send(sender.as_ref(), &content()).await.unwrap();
        while fs::read_to_string(place.at("pid")).unwrap_or_default().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Neither the handle nor the client are dropped: the runtime goes first.
        std::mem::forget((sender, client));
    });
    drop(runtime);
    let stat = place.at("pid");
    let pid = fs::read_to_string(&stat).unwrap();
    // Nobody reaps it any more; a zombie has run its last instruction.
    loop {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            break;
        }
        std::thread::yield_now();
    }
    assert!(!place.at("done").exists());
}
