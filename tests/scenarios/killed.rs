//! A sender whose process is killed at any moment of a stream: the command on the other side never takes a part for the
//! whole.

use smb_client::{OpenOptions, migration::StreamWriter};
use smb_proto::{
    msg::{
        CtlCode,
        fsctl::stream_commit::{DigestAlgorithm, StreamCommit},
    },
    status::NtStatus,
};
use smb_server::{
    Share,
    backend::stream::{CommandConsumer, StreamOptions, StreamShare},
};
use smb_tests::{House, bounded, client, random_bytes, until};
use std::{env, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

const PIECE: usize = 256 << 10;
const PIECES: usize = 12;
const ADDRESS: &str = "SMB_TEST_SENDER_ADDRESS";
const STREAM: &str = "SMB_TEST_SENDER_STREAM";

fn data() -> Vec<u8> {
    random_bytes(PIECES * PIECE, 42)
}

/// The steps of the sender; it says `at STEP` in front of each.
const BEFORE_CREATE: usize = 0;
const FIRST_WRITE: usize = 1;
const BEFORE_COMMIT: usize = FIRST_WRITE + PIECES;
const BEFORE_FLUSH: usize = BEFORE_COMMIT + 1;
const FLUSHING: usize = BEFORE_FLUSH + 1;
const BEFORE_CLOSE: usize = FLUSHING + 1;
const CLOSED: usize = BEFORE_CLOSE + 1;

/// Says where it is, and waits for a line that lets it go on.
fn at(step: usize) {
    println!("\nat {step}");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
}

/// The sender: this program runs it in a process of its own.
#[tokio::test]
#[ignore = "run by the other tests here"]
async fn sender() {
    let (Ok(address), Ok(name)) = (env::var(ADDRESS), env::var(STREAM)) else { return };
    let session = client().connect(&address).await.unwrap();
    let tree = session.tree("mig").await.unwrap();
    at(BEFORE_CREATE);
    let file = OpenOptions::write().open(&tree, &name).await.unwrap();
    let data = data();
    for (n, piece) in data.chunks(PIECE).enumerate() {
        at(FIRST_WRITE + n);
        file.write_at((n * PIECE) as u64, piece.to_vec()).await.unwrap();
    }
    at(BEFORE_COMMIT);
    let (length, digest) = (data.len() as u64, *blake3::hash(&data).as_bytes());
    let commit = StreamCommit { algorithm: DigestAlgorithm::BLAKE3, length, digest };
    file.fsctl(CtlCode::STREAM_COMMIT, commit.to_bytes(), 0).await.unwrap();
    at(BEFORE_FLUSH);
    let flushing = tokio::spawn({
        let file = file.clone();
        async move { file.flush().await.unwrap() }
    });
    tokio::task::yield_now().await;
    // From here on it may be committed; nobody waits for the answer yet.
    tokio::task::spawn_blocking(|| at(FLUSHING)).await.unwrap();
    flushing.await.unwrap();
    at(BEFORE_CLOSE);
    file.close().await.unwrap();
    at(CLOSED);
}

/// As fast as it can, by the stream writer.
#[tokio::test]
#[ignore = "run by the other tests here"]
async fn fast_sender() {
    let (Ok(address), Ok(name)) = (env::var(ADDRESS), env::var(STREAM)) else { return };
    let session = client().connect(&address).await.unwrap();
    let tree = session.tree("mig").await.unwrap();
    println!("\nat {BEFORE_CREATE}");
    let mut stream = StreamWriter::create(&tree, &name).await.unwrap();
    for (n, piece) in data().chunks(PIECE).enumerate() {
        let mut buf = session.buffer(piece.len());
        buf.copy_from_slice(piece);
        stream.write_buf(buf).await.unwrap();
        println!("\nat {}", FIRST_WRITE + n);
    }
    stream.commit().await.unwrap();
    println!("\nat {CLOSED}");
}

/// A sender's process.
struct Sender {
    child: Child,
    lines: tokio::io::Lines<BufReader<tokio::process::ChildStdout>>,
}

impl Sender {
    fn start(test: &str, house: &House, name: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture"])
            .env(ADDRESS, house.addresses[0].to_string())
            .env(STREAM, name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Waits until it is at a step.
    async fn reaches(&mut self, step: usize, say: bool) {
        use tokio::io::AsyncWriteExt as _;
        loop {
            let line = bounded("a line of the sender", self.lines.next_line()).await.unwrap();
            let line = line.unwrap_or_else(|| panic!("the sender ended before step {step}"));
            let Some(now) = line.strip_prefix("at ").and_then(|now| now.parse::<usize>().ok()) else {
                continue;
            };
            if now >= step {
                return;
            }
            if say {
                self.child.stdin.as_mut().unwrap().write_all(b"on\n").await.unwrap();
            }
        }
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// A server whose streams go to `command`, with `$D` for the directory.
fn house(directory: &Path, command: &str) -> House {
    let command = command.replace("$D", directory.to_str().unwrap());
    let share = StreamShare::new(CommandConsumer::new(command), StreamOptions::default());
    House::listening(|builder| builder.share(Share::new("mig", share)))
}

/// Waits until the server has done with the stream, its command reaped.
async fn stream_ends(house: &House, name: &str) {
    until("the sender's files are closed", || house.handle.open_files() == 0).await;
    let tree = house.session().await.tree("mig").await.unwrap();
    bounded("the command is reaped", async {
        while tree.metadata(name).await.err().and_then(|error| error.status())
            != Some(NtStatus::OBJECT_NAME_NOT_FOUND)
        {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// What a command must never do: end by itself, or move its file into place, without all of the stream.
async fn assert_whole_or_nothing(directory: &Path, name: &str, committed: Option<bool>) {
    let plain = tokio::fs::read(directory.join(name)).await.ok();
    let ended = directory.join(format!("{name}.ended")).exists();
    let moved = tokio::fs::read(directory.join(format!("{name}.moved"))).await.ok();
    if ended {
        assert!(
            plain.as_ref().is_some_and(|plain| *plain == data()),
            "{name}: it ended by itself without all"
        );
    }
    if let Some(moved) = &moved {
        assert!(*moved == data(), "{name}: a part was taken for the whole");
    }
    // The command may be killed between its last two steps, where nobody had its word yet.
    assert!(moved.is_some() || !ended, "{name}");
    if let Some(committed) = committed {
        assert_eq!(ended, committed, "{name}");
    }
}

/// `cat` into a file; if it ends by itself, that is noted, and the file moved as one that is whole.
const COMMAND: &str =
    r#"F="$D/$SMB_STREAM_NAME"; cat >"$F" && cp "$F" "$F.part" && mv "$F.part" "$F.moved" && : >"$F.ended""#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_step() {
    let directory = tempfile::tempdir().unwrap();
    let house = house(directory.path(), COMMAND);
    let writes = [0, 1, 5, PIECES - 1].map(|n| FIRST_WRITE + n);
    let steps = [BEFORE_CREATE].into_iter().chain(writes);
    let steps = steps.chain([BEFORE_COMMIT, BEFORE_FLUSH, FLUSHING, BEFORE_CLOSE, CLOSED]);
    for step in steps {
        let name = format!("step-{step}");
        let mut sender = Sender::start("killed::sender", &house, &name);
        sender.reaches(step, true).await;
        sender.kill().await;
        stream_ends(&house, &name).await;
        let committed = (step != FLUSHING).then_some(step >= BEFORE_CLOSE);
        assert_whole_or_nothing(directory.path(), &name, committed).await;
        let begun = directory.path().join(&name).exists();
        assert!(begun || step <= FIRST_WRITE, "{name}: the command never ran");
    }
    house.still_serves().await;
    house.is_left_clean().await;
}

/// The command takes its time to confirm, and the sender is killed while it does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_the_command_confirms() {
    let directory = tempfile::tempdir().unwrap();
    let command =
        r#"F="$D/$SMB_STREAM_NAME"; cat >"$F.part" && : >"$F.read" && sleep 60 && mv "$F.part" "$F""#;
    let house = house(directory.path(), command);
    let mut sender = Sender::start("killed::sender", &house, "slow");
    sender.reaches(FLUSHING, true).await;
    until("the command has read all", || directory.path().join("slow.read").exists()).await;
    sender.kill().await;
    stream_ends(&house, "slow").await;
    assert!(!directory.path().join("slow").exists(), "nobody was told that it is whole, and it says so");
    house.still_serves().await;
}

/// At full speed, killed wherever it happens to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_full_speed() {
    let directory = tempfile::tempdir().unwrap();
    let house = house(directory.path(), COMMAND);
    for step in [BEFORE_CREATE, FIRST_WRITE, FIRST_WRITE + 3, FIRST_WRITE + 7, BEFORE_COMMIT - 1, CLOSED] {
        let name = format!("fast-{step}");
        let mut sender = Sender::start("killed::fast_sender", &house, &name);
        sender.reaches(step, false).await;
        sender.kill().await;
        stream_ends(&house, &name).await;
        let committed = (step == CLOSED).then_some(true);
        assert_whole_or_nothing(directory.path(), &name, committed).await;
    }
    house.still_serves().await;
    house.is_left_clean().await;
}

/// A command that fails, or goes before the end: the sender learns of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_that_fail() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["cat >/dev/null; exit 3", "head -c 100000 >/dev/null", "exit 0", "kill -9 $$"] {
        let house = house(directory.path(), command);
        let session = client().connect(&house.addresses[0].to_string()).await.unwrap();
        let tree = session.tree("mig").await.unwrap();
        let sent = async {
            let mut stream = StreamWriter::create(&tree, "s").await?;
            for piece in data().chunks(PIECE) {
                let mut buf = session.buffer(piece.len());
                buf.copy_from_slice(piece);
                stream.write_buf(buf).await?;
            }
            stream.commit().await
        };
        let error = bounded(command, sent).await.unwrap_err();
        assert!(error.status().is_some(), "{command}: {error}");
        house.still_serves().await;
    }
}
