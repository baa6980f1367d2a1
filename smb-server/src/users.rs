//! The users that a server is given at its start.

use smb_proto::auth::{Accounts, NtHash};
use std::collections::HashMap;

/// Names, whatever their case, and the hashes of their passwords. Any domain will do.
#[derive(Debug, Clone, Default)]
pub struct Users {
    hashes: HashMap<String, NtHash>,
    guest: bool,
}

impl Users {
    /// Adds a user.
    pub fn add(&mut self, name: &str, password: &str) {
        self.hashes.insert(name.to_lowercase(), NtHash::from_password(password));
    }

    /// Whether unknown users and those without a name are let in.
    pub fn set_guest(&mut self, guest: bool) {
        self.guest = guest;
    }
}

impl Accounts for Users {
    fn nt_hash(&self, user: &str, _domain: &str) -> Option<NtHash> {
        self.hashes.get(&user.to_lowercase()).cloned()
    }

    fn anonymous(&self) -> bool {
        self.guest
    }

    fn guest(&self, _user: &str, _domain: &str) -> bool {
        self.guest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_whatever_their_case() {
        let mut users = Users::default();
        users.add("Alice", "secret");
        let expected = NtHash::from_password("secret");
        assert_eq!(users.nt_hash("aLICE", "ANY").unwrap().as_bytes(), expected.as_bytes());
        assert!(users.nt_hash("bob", "").is_none());
        assert!(!users.guest("bob", "") && !users.anonymous());
        users.set_guest(true);
        assert!(users.guest("bob", "") && users.anonymous());
    }
}
