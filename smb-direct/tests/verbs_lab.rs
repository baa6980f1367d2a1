//! Tests on an RDMA device, run in the lab: `verbs_lab ADDRESS WHAT`, where ADDRESS is the device's and WHAT is
//!
//! - `provider` or `transport [TEST…]`: the conformance suite of the layer, but for the tests that the device cannot pass;
//! - `cycles N LANES`: N connections that come and go, LANES at a time, leave no object of the device behind;
//! - `loss COMMAND ERROR [REPAIR]`: COMMAND takes the device or its link away in the midst of transfers; both ends end within 5 s,
//!   with ERROR but for one that the other's end reaches first, and after REPAIR a connection comes up again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use smb_direct::{DirectListener, Monitor, SmbDirect, rdma::testing::Made, smbd::Config, verbs::Verbs};
use smb_transport::{Access, Halves, IoBuf, Msg, Push, Transport, TransportError, testing};
use std::{
    net::SocketAddr,
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// Below those that are given to who connects.
const PORT: u16 = 24_700;
/// How long after a loss both ends may learn of it, and objects may take to go.
const SOON: Duration = Duration::from_secs(5);

fn argument(at: usize) -> String {
    std::env::args().nth(at).expect("another argument")
}

fn address() -> SocketAddr {
    SocketAddr::new(argument(1).parse().unwrap(), PORT)
}

async fn device() -> Made {
    (Arc::new(Verbs::open().unwrap()), address())
}

async fn connected() -> (SmbDirect, SmbDirect) {
    connected_at(0).await
}

/// Two ends, by a port of that lane's own.
async fn connected_at(lane: u16) -> (SmbDirect, SmbDirect) {
    let verbs = Arc::new(Verbs::open().unwrap());
    let at = SocketAddr::new(address().ip(), PORT + lane);
    let mut listener = DirectListener::bind(verbs.clone(), at, Config::default()).await.unwrap();
    let connecting = SmbDirect::connect(&*verbs, at, Config::default());
    // An error ends the test at once: nobody would be accepted.
    let connecting = async { connecting.await.unwrap() };
    tokio::join!(connecting, listener.accept_direct())
}

async fn pair() -> testing::Pair {
    let (one, other) = connected().await;
    (Box::new(one), Box::new(other))
}

/// Messages one way, pushed data the other, until something fails: the step and why.
async fn exchange(client: &mut Halves, server: &mut Halves) -> Result<(), String> {
    let at = |step: &'static str| move |why: TransportError| format!("{step}: {why}");
    let end = || "the end".to_owned();
    let placement = client.placement.clone().ok_or("no placement")?;
    let memory = placement.advertise(client.buffers.buffer(100_000), Access::RemoteWrite);
    let memory = memory.map_err(|(why, _)| format!("opening: {why}"))?;
    client.sender.send(Msg::inline(IoBuf::copied(&[7; 20_000]))).await.map_err(at("request"))?;
    let request = server.receiver.recv().await.map_err(at("its arrival"))?.ok_or_else(end)?;
    assert_eq!(request.message[..], [7; 20_000]);
    let data = IoBuf::copied(&[9; 100_000]);
    let push = Push { to: memory.descriptors().to_vec(), data };
    let answer = Msg { pushes: vec![push], ..Msg::inline(IoBuf::copied(b"answer")) };
    server.sender.send(answer).await.map_err(at("answer"))?;
    client.receiver.recv().await.map_err(at("its arrival"))?.ok_or_else(end)?;
    assert_eq!(memory.reclaim().await.map_err(at("taking back"))?[..], [9; 100_000]);
    Ok(())
}

/// Objects of the device that this process has, but for what it keeps of a device once used: the protection domain that
/// librdmacm makes for itself, and the id that hears of the removal.
fn objects() -> Vec<String> {
    let ours = format!("pid {} ", std::process::id());
    let list = |kind| Command::new("rdma").args(["resource", "show", kind]).output().unwrap().stdout;
    let lines = |kind| String::from_utf8(list(kind)).unwrap();
    let all: Vec<_> = ["qp", "cq", "mr", "pd", "cm_id"].into_iter().map(lines).collect();
    let all = all.iter().flat_map(|list| list.lines()).filter(|line| line.contains(&ours)).map(String::from);
    let (domains, others): (Vec<_>, Vec<_>) = all.partition(|line| line.contains("pdn"));
    let (sentinels, mut objects): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|line| line.contains("ADDR_BOUND"));
    objects.extend(domains.into_iter().skip(1).chain(sentinels.into_iter().skip(1)));
    objects
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn cycle(lane: u16) {
    let (one, other) = connected_at(lane).await;
    let (mut client, mut server) = (Box::new(one).split(), Box::new(other).split());
    exchange(&mut client, &mut server).await.expect("a round");
}

async fn cycles(count: u16, lanes: u16) {
    // What is kept of a device that is used for the first time.
    cycle(0).await;
    nothing_is_left().await;
    let before = descriptors();
    let mut running = JoinSet::new();
    for lane in 0..lanes {
        running.spawn(async move {
            for _ in 0..count / lanes {
                cycle(lane).await;
            }
        });
    }
    running.join_all().await;
    nothing_is_left().await;
    assert_eq!(descriptors(), before, "descriptors");
}

/// Connections are torn down by their tasks.
async fn nothing_is_left() {
    let until = Instant::now() + SOON;
    while !objects().is_empty() && Instant::now() < until {
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(objects(), Vec::<String>::new());
}

fn shell(command: &str) {
    assert!(Command::new("sh").args(["-c", command]).status().unwrap().success(), "{command}");
}

async fn loss(command: String, error: &str, repair: Option<String>) {
    let (one, other) = connected().await;
    let ends = [one.monitor(), other.monitor()];
    let (mut client, mut server) = (Box::new(one).split(), Box::new(other).split());
    for _ in 0..3 {
        exchange(&mut client, &mut server).await.expect("a round");
    }
    let losing = tokio::task::spawn_blocking(move || shell(&command));
    let exchanging = async { while exchange(&mut client, &mut server).await.is_ok() {} };
    let both = async { tokio::join!(exchanging, losing).1.unwrap() };
    timeout(Duration::from_secs(60), both).await.expect("transfers go on after the loss");
    let ended = |end: &Monitor| end.ended().map(|why| why.to_string());
    let until = Instant::now() + SOON;
    while ends.iter().any(|end| ended(end).is_none()) && Instant::now() < until {
        sleep(Duration::from_millis(20)).await;
    }
    let ended = ends.each_ref().map(|end| ended(end).expect("an end"));
    println!("ended: {ended:?}");
    // One of the two may be the peer whom the other's end reaches before its own reason.
    assert!(ended.iter().any(|why| why.contains(error)), "{ended:?}");
    drop((client, server, ends));
    nothing_is_left().await;
    if let Some(repair) = repair {
        shell(&repair);
        let (one, other) = connected().await;
        let (mut client, mut server) = (Box::new(one).split(), Box::new(other).split());
        exchange(&mut client, &mut server).await.expect("a round");
    }
}

fn main() -> ExitCode {
    let what = argument(2);
    let passed = match what.as_str() {
        "provider" => smb_direct::provider_conformance!(run device),
        "transport" => {
            let cannot: Vec<_> = std::env::args().skip(3).collect();
            smb_transport::conformance!(run pair, but cannot)
        }
        "cycles" => {
            testing::report("cycles", || cycles(argument(3).parse().unwrap(), argument(4).parse().unwrap()))
        }
        "loss" => {
            let (command, error) = (argument(3), argument(4));
            testing::report("loss", || loss(command, &error, std::env::args().nth(5)))
        }
        _ => panic!("no such test: {what}"),
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
