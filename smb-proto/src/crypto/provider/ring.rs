//! The `ring` provider. It has neither CMAC nor CCM.

super::ring_like::ring_like_provider! {
    Ring, "ring", ring,
    cmac: |_: &[u8]| Err(CryptoError::Unsupported),
    open: |key, nonce, aad, data, tag| {
        key.open_in_place_separate_tag(nonce, Aad::from(aad), (*tag).into(), data, 0..).map(|_| ())
    }
}
