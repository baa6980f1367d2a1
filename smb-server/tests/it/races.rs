//! What happens to a file between its being found and its open being counted.

use crate::peer::*;
use smb_proto::{
    fscc::{DispositionInformation, Information, RenameInformation, ea::ExtendedAttribute},
    msg::*,
    status::NtStatus,
};
use smb_server::{
    Share,
    backend::{
        Backend, Caller, Capabilities, Handle, LocalOptions, LocalShare, MemoryShare, Metadata, OpenRequest,
        Opened, Result,
    },
};
use smb_transport::{BoxFuture, Gate};
use std::sync::Arc;

const LATE: &str = "late";

/// A back end whose opens for [`LATE`] wait, done, in front of a gate.
struct Slow<B> {
    inner: B,
    gate: Gate,
}

impl<B: Backend> Backend for Slow<B> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open<'a>(&'a self, caller: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let opened = self.inner.open(caller, request).await;
            if caller.user.as_ref() == LATE {
                self.gate.pass().await;
            }
            opened
        })
    }
}

/// A back end in memory where what [`LATE`] opens is not emptied, after a wait in front of a gate.
struct Full {
    inner: MemoryShare,
    gate: Gate,
}

struct FullHandle {
    inner: Arc<dyn Handle>,
    gate: Gate,
}

impl Backend for Full {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn open<'a>(&'a self, caller: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        Box::pin(async move {
            let mut opened = self.inner.open(caller, request).await?;
            if caller.user.as_ref() == LATE {
                opened.handle = Arc::new(FullHandle { inner: opened.handle, gate: self.gate.clone() });
            }
            Ok(opened)
        })
    }
}

impl Handle for FullHandle {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        self.inner.metadata()
    }

    fn overwrite<'a>(
        &'a self,
        _: FileAttributes,
        _: &'a [ExtendedAttribute],
    ) -> BoxFuture<'a, Result<Metadata>> {
        Box::pin(async {
            self.gate.pass().await;
            Err(NtStatus::DISK_FULL)
        })
    }

    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.remove()
    }
}

struct Race {
    gate: Gate,
    late: Peer,
    other: Peer,
    _home: tempfile::TempDir,
}

impl Race {
    async fn all() -> [Self; 2] {
        let home = tempfile::tempdir().unwrap();
        let local = LocalShare::open(home.path(), LocalOptions::default()).unwrap();
        [Self::on(MemoryShare::new(), tempfile::tempdir().unwrap()).await, Self::on(local, home).await]
    }

    async fn on(inner: impl Backend, home: tempfile::TempDir) -> Self {
        let gate = Gate::opened();
        Self::over(Slow { inner, gate: gate.clone() }, gate, home).await
    }

    async fn over(backend: impl Backend, gate: Gate, home: tempfile::TempDir) -> Self {
        let share = Share::new("data", backend);
        let server = server(share, |builder| builder.user(LATE, PASSWORD));
        let mut late = Peer::connect(&server);
        late.negotiate().await;
        late.login(LATE, PASSWORD).await.unwrap();
        late.connect_tree("data").await.unwrap();
        Self { gate, late, other: Peer::ready(&server).await, _home: home }
    }

    async fn file_of(&mut self, name: &str, content: &[u8]) -> FileId {
        let file = self.other.file(name).await;
        self.other.write(file, 0, content).await.unwrap();
        file
    }

    /// Opens late: `meanwhile` happens once the back end has opened.
    async fn open_late(
        &mut self,
        request: CreateRequest,
        meanwhile: impl AsyncFnOnce(&mut Peer),
    ) -> Result<CreateResponse> {
        self.gate.close();
        let id = self.late.send(&request, 1).await;
        watched(self.gate.waiting(1)).await;
        meanwhile(&mut self.other).await;
        self.gate.open();
        let reply = self.late.answer(id).await;
        if reply.status() == NtStatus::SUCCESS { Ok(reply.body()) } else { Err(reply.status()) }
    }

    async fn content(&mut self, name: &str) -> Result<Vec<u8>> {
        let file = self.other.create(&create(name, CreateDisposition::OPEN)).await?.file_id;
        let content = self.other.read(file, 0, 100).await;
        self.other.close(file).await?;
        content
    }
}

async fn set<I: Information>(peer: &mut Peer, file_id: FileId, information: &I) {
    let request = SetInfoRequest {
        info_type: I::INFO_TYPE,
        class: I::CLASS,
        additional_information: 0,
        file_id,
        input: information.to_bytes(),
    };
    peer.call::<SetInfoResponse>(&request).await.unwrap();
}

#[tokio::test]
async fn a_creator_who_is_refused_removes_nobodys_file() {
    for mut race in Race::all().await {
        let alone =
            CreateRequest { share_access: ShareAccess::NONE, ..create("f", CreateDisposition::OPEN_IF) };
        let refused = race.open_late(create("f", CreateDisposition::CREATE), async |other| {
            let found = other.create(&alone).await.unwrap();
            assert_eq!(found.action, CreateAction::OPENED);
            other.write(found.file_id, 0, b"kept").await.unwrap();
        });
        assert_eq!(refused.await.map(|_| ()), Err(NtStatus::SHARING_VIOLATION));
        let mut look = create("f", CreateDisposition::OPEN);
        look.desired_access = Access::READ_ATTRIBUTES;
        assert_eq!(race.other.create(&look).await.unwrap().end_of_file, 4);
    }
}

#[tokio::test]
async fn what_is_removed_while_it_is_opened_is_created_anew() {
    for name in ["f", "f:stream"] {
        for mut race in Race::all().await {
            let file = race.file_of(name, b"old").await;
            let opened = race.open_late(create(name, CreateDisposition::OPEN_IF), async |other| {
                set(other, file, &DispositionInformation { delete_pending: true }).await;
                other.close(file).await.unwrap();
            });
            let opened = opened.await.unwrap();
            assert_eq!(opened.action, CreateAction::CREATED, "{name}");
            race.late.write(opened.file_id, 0, b"new").await.unwrap();
            assert_eq!(race.content(name).await.unwrap(), b"new");
        }
    }
}

#[tokio::test]
async fn what_is_replaced_while_it_is_opened_is_not_opened() {
    for mut race in Race::all().await {
        let old = race.file_of("f", b"old").await;
        race.other.close(old).await.unwrap();
        let new = race.file_of("g", b"new").await;
        let opened = race.open_late(create("f", CreateDisposition::OPEN), async |other| {
            set(other, new, &RenameInformation { replace_if_exists: true, name: "f".into() }).await;
        });
        let opened = opened.await.unwrap().file_id;
        assert_eq!(race.late.read(opened, 0, 10).await.unwrap(), b"new");
    }
}

#[tokio::test]
async fn an_open_that_fails_in_the_end_deletes_what_others_left_to_it() {
    let gate = Gate::opened();
    let full = Full { inner: MemoryShare::new(), gate: gate.clone() };
    let mut race = Race::over(full, gate, tempfile::tempdir().unwrap()).await;
    let file = race.file_of("f", b"old").await;
    let refused = race.open_late(create("f", CreateDisposition::OVERWRITE), async |other| {
        set(other, file, &DispositionInformation { delete_pending: true }).await;
        other.close(file).await.unwrap();
    });
    assert_eq!(refused.await.map(|_| ()), Err(NtStatus::DISK_FULL));
    assert_eq!(race.content("f").await, Err(NtStatus::OBJECT_NAME_NOT_FOUND));
}
