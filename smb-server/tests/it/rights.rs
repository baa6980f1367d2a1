//! Security descriptors set, inherited and enforced; named streams and extended attributes; the time of the last write.

use crate::peer::*;
use smb_proto::{
    dtyp::{Ace, AceFlags, Acl, AclPart, SecurityDescriptor, SecurityInformation, Sid},
    fscc::{
        BasicInformation, EaInformation, Information, RenameInformation, StreamInformation,
        ea::{ExtendedAttribute, FullEaInformation},
    },
    msg::{context::create::*, *},
    status::NtStatus,
};
use smb_server::Handle;

fn two_users() -> Handle {
    server(memory(), |builder| builder.user("other", "secret"))
}

async fn other(server: &Handle) -> Peer {
    let mut peer = Peer::connect(server);
    peer.negotiate().await;
    peer.login("other", "secret").await.unwrap();
    peer.connect_tree("data").await.unwrap();
    peer
}

async fn security(peer: &mut Peer, file_id: FileId) -> Result<SecurityDescriptor, NtStatus> {
    let query = QueryInfoRequest::security(file_id, SecurityInformation::ORDINARY, 4096);
    let response = peer.call::<QueryInfoResponse>(&query).await?;
    Ok(SecurityDescriptor::parse(&response.output).unwrap())
}

async fn set_dacl(peer: &mut Peer, file_id: FileId, aces: Vec<Ace>) -> Result<(), NtStatus> {
    let dacl = AclPart::List(Acl::new(aces));
    let descriptor = SecurityDescriptor { dacl, ..SecurityDescriptor::default() };
    let set = SetInfoRequest::security(file_id, SecurityInformation::DACL, &descriptor);
    peer.call::<SetInfoResponse>(&set).await.map(|_| ())
}

async fn query<I: Information>(peer: &mut Peer, file_id: FileId) -> I {
    let request = QueryInfoRequest {
        info_type: I::INFO_TYPE,
        class: I::CLASS,
        output_len: 4096,
        additional_information: 0,
        flags: 0,
        file_id,
        input: Vec::new(),
    };
    I::parse(&peer.call::<QueryInfoResponse>(&request).await.unwrap().output).unwrap()
}

fn opening(name: &str, desired_access: Access) -> CreateRequest {
    CreateRequest { desired_access, ..create(name, CreateDisposition::OPEN) }
}

#[tokio::test]
async fn a_list_that_was_set_is_enforced() {
    let server = two_users();
    let (mut one, mut two) = (Peer::ready(&server).await, other(&server).await);
    let file = one.file("f").await;
    let owner = security(&mut one, file).await.unwrap().owner.unwrap();
    let reads = Ace::allow(Sid::EVERYONE, Access::FILE_READ);
    set_dacl(&mut one, file, vec![Ace::allow(owner, Access::FILE_ALL), reads]).await.unwrap();
    for (access, expected) in [
        (Access::READ_DATA, Ok(())),
        (Access::WRITE_DATA, Err(NtStatus::ACCESS_DENIED)),
        (Access::WRITE_DAC, Err(NtStatus::ACCESS_DENIED)),
        // The directory lets what is in it be deleted.
        (Access::DELETE, Ok(())),
    ] {
        assert_eq!(two.create(&opening("f", access)).await.map(|_| ()), expected, "{access:?}");
        assert!(one.create(&opening("f", access)).await.is_ok());
    }
    let overwrite =
        CreateRequest { desired_access: Access::READ_DATA, ..create("f", CreateDisposition::OVERWRITE) };
    assert_eq!(two.create(&overwrite).await.map(|_| ()), Err(NtStatus::ACCESS_DENIED));
    let asked = CreateRequest {
        contexts: vec![MaximalAccessRequest { timestamp: None }.context()],
        ..opening("f", Access::MAXIMUM_ALLOWED)
    };
    let opened = two.create(&asked).await.unwrap();
    let context = CreateContext::find(&opened.contexts, MAXIMAL_ACCESS).unwrap();
    let maximal = MaximalAccessResponse::parse(&context.data).unwrap().access;
    assert_eq!(maximal, Access::FILE_READ.with(Access::DELETE));
    assert_eq!(two.write(opened.file_id, 0, b"x").await, Err(NtStatus::ACCESS_DENIED));
}

#[tokio::test]
async fn what_is_new_inherits_and_the_directory_decides() {
    let server = two_users();
    let (mut one, mut two) = (Peer::ready(&server).await, other(&server).await);
    let directory =
        CreateRequest { options: CreateOptions::DIRECTORY_FILE, ..create("d", CreateDisposition::CREATE) };
    let directory = one.create(&directory).await.unwrap().file_id;
    let owner = security(&mut one, directory).await.unwrap().owner.unwrap();
    let all = AceFlags::OBJECT_INHERIT.with(AceFlags::CONTAINER_INHERIT);
    let mine = Ace::allow(owner, Access::FILE_ALL).with_flags(all);
    let lists = Ace::allow(Sid::EVERYONE, Access::FILE_READ);
    set_dacl(&mut one, directory, vec![mine, lists]).await.unwrap();
    let refused = two.create(&create("d\\theirs", CreateDisposition::CREATE)).await;
    assert_eq!(refused.map(|_| ()), Err(NtStatus::ACCESS_DENIED));
    one.close(directory).await.unwrap();
    let file = one.file("d\\mine").await;
    let dacl = security(&mut one, file).await.unwrap().dacl;
    assert_eq!(dacl, AclPart::List(Acl::new([Ace::allow(owner, Access::FILE_ALL)])));
    assert_eq!(two.create(&opening("d\\mine", Access::READ_DATA)).await.err(), Some(NtStatus::ACCESS_DENIED));
    // Whoever asks for the most has what the directory allows, which lets everybody list it, but not delete there.
    let options = CreateOptions::DELETE_ON_CLOSE;
    let most = opening("d\\mine", Access::MAXIMUM_ALLOWED);
    let refused = two.create(&CreateRequest { options, ..most.clone() }).await;
    assert_eq!(refused.map(|_| ()), Err(NtStatus::ACCESS_DENIED));
    assert!(two.create(&most).await.is_ok());
    // Nor can anything be moved there.
    let theirs = two.file("theirs").await;
    let to = |name: &str| RenameInformation { replace_if_exists: false, name: name.into() };
    assert_eq!(set(&mut two, theirs, &to("d\\theirs")).await, Err(NtStatus::ACCESS_DENIED));
    set(&mut two, theirs, &to("moved")).await.unwrap();
}

#[tokio::test]
async fn the_most_of_nothing_is_refused() {
    let server = two_users();
    let (mut one, mut two) = (Peer::ready(&server).await, other(&server).await);
    let file = one.file("f").await;
    set_dacl(&mut one, file, Vec::new()).await.unwrap();
    let root = one.create(&opening("", Access::WRITE_DAC)).await.unwrap().file_id;
    set_dacl(&mut one, root, vec![Ace::allow(Sid::EVERYONE, Access::WRITE_DATA)]).await.unwrap();
    let refused = two.create(&opening("f", Access::MAXIMUM_ALLOWED)).await;
    assert_eq!(refused.map(|_| ()), Err(NtStatus::ACCESS_DENIED));
    // The owner has what every owner has.
    assert!(one.create(&opening("f", Access::MAXIMUM_ALLOWED)).await.is_ok());
}

#[tokio::test]
async fn only_who_may_changes_owner_and_list() {
    let server = two_users();
    let (mut one, mut two) = (Peer::ready(&server).await, other(&server).await);
    let file = one.file("f").await;
    let theirs = two.file("g").await;
    let bob = security(&mut two, theirs).await.unwrap().owner;
    let descriptor = SecurityDescriptor { owner: bob, ..SecurityDescriptor::default() };
    let give = SetInfoRequest::security(file, SecurityInformation::OWNER, &descriptor);
    assert_eq!(one.call::<SetInfoResponse>(&give).await.err(), Some(NtStatus::INVALID_OWNER));
    let reader = one.create(&opening("f", Access::GENERIC_READ)).await.unwrap().file_id;
    assert_eq!(set_dacl(&mut one, reader, Vec::new()).await, Err(NtStatus::ACCESS_DENIED));
    set_dacl(&mut one, file, Vec::new()).await.unwrap();
    // Nobody is let in, but the owner may change that.
    assert_eq!(one.create(&opening("f", Access::READ_DATA)).await.err(), Some(NtStatus::ACCESS_DENIED));
    assert!(one.create(&opening("f", Access::WRITE_DAC)).await.is_ok());
}

#[tokio::test]
async fn streams_and_attributes_of_a_file() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    let file = peer.file("f").await;
    let stream = peer.file("f:one").await;
    peer.write(stream, 0, b"in the stream").await.unwrap();
    assert_eq!(peer.read(file, 0, 10).await, Err(NtStatus::END_OF_FILE));
    let streams = query::<StreamInformation>(&mut peer, file).await.streams;
    let names: Vec<_> = streams.iter().map(|stream| (stream.name.to_string(), stream.size)).collect();
    assert_eq!(names, [("::$DATA".into(), 0), (":one:$DATA".into(), 13)]);
    let attribute = ExtendedAttribute { need_ea: false, name: b"NAME".into(), value: b"value".into() };
    let attributes = FullEaInformation { attributes: vec![attribute] };
    set(&mut peer, file, &attributes).await.unwrap();
    assert_eq!(query::<FullEaInformation>(&mut peer, file).await, attributes);
    assert_eq!(query::<EaInformation>(&mut peer, file).await.ea_size, 4 + 5 + 4 + 5);
    // A file whose stream is open stays where it is, and goes with the last of them.
    let to = RenameInformation { replace_if_exists: false, name: "g".into() };
    assert_eq!(set(&mut peer, file, &to).await, Err(NtStatus::ACCESS_DENIED));
    let options = CreateOptions::DELETE_ON_CLOSE;
    let doomed = CreateRequest { options, ..create("f", CreateDisposition::OPEN) };
    let doomed = peer.create(&doomed).await.unwrap().file_id;
    peer.close(doomed).await.unwrap();
    peer.close(file).await.unwrap();
    let late = peer.create(&create("f:one", CreateDisposition::OPEN)).await;
    assert_eq!(late.err(), Some(NtStatus::DELETE_PENDING));
    assert_eq!(peer.read(stream, 0, 2).await.unwrap(), b"in");
    peer.close(stream).await.unwrap();
    let gone = peer.create(&create("f", CreateDisposition::OPEN)).await;
    assert_eq!(gone.err(), Some(NtStatus::OBJECT_NAME_NOT_FOUND));
}

#[tokio::test]
async fn a_time_that_was_set_is_not_changed_by_writing() {
    let server = plain();
    let mut peer = Peer::ready(&server).await;
    let file = peer.file("f").await;
    peer.write(file, 0, b"once").await.unwrap();
    let set_to = FileTime::from_unix(1_000_000_000, 0);
    let times = FileTimes { last_write: set_to, ..FileTimes::default() };
    let basic = BasicInformation { times, attributes: FileAttributes::NONE };
    set(&mut peer, file, &basic).await.unwrap();
    peer.write(file, 0, b"again").await.unwrap();
    assert_eq!(query::<BasicInformation>(&mut peer, file).await.times.last_write, set_to);
    peer.close(file).await.unwrap();
    let opened = peer.create(&create("f", CreateDisposition::OPEN)).await.unwrap();
    assert_eq!(opened.times.last_write, set_to);
}
