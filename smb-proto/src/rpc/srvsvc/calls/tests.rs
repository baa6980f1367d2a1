use super::{super::share::testing, *};
use crate::codec::field::testing::hex;
use proptest::{collection::vec, option, prelude::*};

fn server() -> impl Strategy<Value = Option<String>> {
    option::of("\\PC{0,9}")
}

macro_rules! stub_tests {
    ($name:ident, $type:ty, $strategy:expr) => {
        mod $name {
            use super::*;
            proptest! {
                #[test]
                fn round_trip(call in $strategy) {
                    let stub = call.to_stub();
                    prop_assert_eq!(<$type>::parse(&stub).unwrap(), call);
                    prop_assert!((0..stub.len()).all(|cut| <$type>::parse(&stub[..cut]).is_err()));
                }

                #[test]
                fn no_bytes_panic(level in testing::level(), rest in vec(any::<u8>(), 0..100)) {
                    let level = level.0.to_le_bytes();
                    for stub in [rest.clone(), [&level[..], &level, &rest].concat(), [&level[..], &rest].concat()] {
                        if let Ok(call) = <$type>::parse(&stub) {
                            prop_assert_eq!(<$type>::parse(&call.to_stub()).unwrap(), call);
                        }
                    }
                }
            }
        }
    };
}

stub_tests!(
    enum_request,
    ShareEnumRequest,
    (server(), testing::level(), any::<u32>(), option::of(any::<u32>())).prop_map(
        |(server, level, preferred_max_len, resume)| ShareEnumRequest {
            server,
            level,
            preferred_max_len,
            resume,
        }
    )
);
stub_tests!(
    enum_response,
    ShareEnumResponse,
    (testing::level(), vec(testing::share(), 0..4), any::<(u32, u32)>(), option::of(any::<u32>())).prop_map(
        |(level, shares, (total, status), resume)| {
            let shares = shares.into_iter().map(|share| share.at(level)).collect();
            ShareEnumResponse { level, shares, total, resume, status: WinError(status) }
        }
    )
);
stub_tests!(
    get_info_request,
    ShareGetInfoRequest,
    (server(), "\\PC{0,9}", any::<u32>()).prop_map(|(server, share, level)| ShareGetInfoRequest {
        server,
        share,
        level: ShareLevel(level),
    })
);
stub_tests!(
    get_info_response,
    ShareGetInfoResponse,
    (
        prop_oneof![
            testing::level(),
            Just(ShareLevel::FLAGS_ONLY),
            Just(ShareLevel(1004)),
            Just(ShareLevel(7))
        ],
        option::of(testing::share()),
        any::<u32>()
    )
        .prop_map(|(level, share, status)| {
            let share = share.filter(|_| level.is_known()).map(|share| share.at(level));
            ShareGetInfoResponse { level, share, status: WinError(status) }
        })
);

fn shares() -> Vec<ShareInfo> {
    let temporary = ShareInfo { kind: ShareKind::TEMPORARY, ..ShareInfo::disk("scratch", "") };
    vec![ShareInfo::disk("Docs", "Documents"), ShareInfo::ipc("Pipes"), temporary]
}

fn names(opnum: u16, call: &ShareEnumRequest) -> Vec<String> {
    let stub = answer(opnum, &call.to_stub(), &shares()).unwrap().unwrap();
    let found = ShareEnumResponse::parse(&stub).unwrap();
    assert_eq!(found.status, WinError::SUCCESS);
    found.shares.into_iter().map(|share| share.name).collect()
}

#[test]
fn all_shares_those_that_stay_and_those_that_are_left() {
    let call = ShareEnumRequest::new("s", ShareLevel::NAME_TYPE_COMMENT);
    assert_eq!(names(ShareEnumRequest::OPNUM, &call), ["Docs", "IPC$", "scratch"]);
    assert_eq!(names(ShareEnumRequest::OPNUM_STICKY, &call), ["Docs"]);
    let rest = ShareEnumRequest { resume: Some(2), ..call.clone() };
    assert_eq!(names(ShareEnumRequest::OPNUM, &rest), ["scratch"]);
    let none = ShareEnumRequest { resume: Some(u32::MAX), ..call };
    assert_eq!(names(ShareEnumRequest::OPNUM, &none), [""; 0]);
}

/// As the interface definition lays them out: the union's arm, then what it points to.
#[test]
fn a_share_with_its_scope_and_an_arm_without_a_structure() {
    let stub = |name: &str, level| {
        let call = ShareGetInfoRequest::new("s", name, level);
        answer(ShareGetInfoRequest::OPNUM, &call.to_stub(), &[ShareInfo::disk("a", "b")]).unwrap().unwrap()
    };
    let drawn = hex("f7010000 04000200
         08000200 00000000 0c000200 00000000 ffffffff 00000000 00000000 00000000 10000200 00000000 00000000
         02000000 00000000 02000000 61000000  02000000 00000000 02000000 62000000
         02000000 00000000 02000000 2a000000  00000000");
    assert_eq!(stub("a", ShareLevel::SCOPE), drawn);
    let mut tied = drawn;
    let at = tied.iter().position(|byte| *byte == b'*').unwrap();
    tied[at] = b'x';
    let share = ShareGetInfoResponse::parse(&tied).unwrap().share.unwrap();
    assert_eq!(share.scope.as_deref(), Some("x"));
    assert_eq!(stub("a", ShareLevel(1004)), hex("ec030000 00000000 7c000000"), "null, and INVALID_LEVEL");
}

/// What a client sends that asks for a list of them: a container without shares.
#[test]
fn a_list_of_shares_with_their_scopes() {
    let call = hex("00000000 f7010000 f7010000 00000200 00000000 00000000 ffffffff 00000000");
    let stub = answer(ShareEnumRequest::OPNUM, &call, &shares()).unwrap().unwrap();
    let found = ShareEnumResponse::parse(&stub).unwrap();
    assert_eq!((found.shares, found.status), (shares(), WinError::SUCCESS));
}

#[test]
fn levels_that_are_not_known_and_shares_that_are_not_there() {
    let call = ShareEnumRequest::new("s", ShareLevel(7));
    let stub = answer(ShareEnumRequest::OPNUM, &call.to_stub(), &shares()).unwrap().unwrap();
    assert_eq!(ShareEnumResponse::parse(&stub).unwrap().status, WinError::INVALID_LEVEL);
    let look = |name, level| {
        let call = ShareGetInfoRequest::new("s", name, level);
        let stub = answer(ShareGetInfoRequest::OPNUM, &call.to_stub(), &shares()).unwrap().unwrap();
        ShareGetInfoResponse::parse(&stub).unwrap()
    };
    assert_eq!(look("docs", ShareLevel::NAME).share.unwrap().name, "Docs", "in any case");
    assert_eq!(look("docs", ShareLevel(7)).status, WinError::INVALID_LEVEL);
    let unserved = look("docs", ShareLevel(1004));
    assert_eq!((unserved.share, unserved.status), (None, WinError::INVALID_LEVEL));
    assert_eq!(look("none", ShareLevel::NAME).status, WinError::NET_NAME_NOT_FOUND);
    assert!(answer(99, &[], &shares()).is_none());
    assert!(answer(15, &[1], &shares()).unwrap().is_err());
}
