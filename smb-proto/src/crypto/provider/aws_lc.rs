//! The `aws-lc-rs` provider. It has no CCM.

use aws_lc_rs::cmac;

super::ring_like::ring_like_provider! {
    AwsLc, "aws-lc-rs", aws_lc_rs,
    cmac: cmac_signer,
    open: |key, nonce, aad, data, tag| {
        key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data).map(|_| ())
    }
}

fn cmac_signer(key: &[u8]) -> Result<Box<dyn Signer>, CryptoError> {
    check_key(16, key)?;
    let key = cmac::Key::new(cmac::AES_128, key).map_err(|_| CryptoError::Failed)?;
    Ok(Box::new(CmacSigner(key)))
}

struct CmacSigner(cmac::Key);

impl CmacSigner {
    fn over(&self, parts: &[&[u8]]) -> Result<Tag, error::Unspecified> {
        let mut mac = cmac::Context::with_key(&self.0);
        for part in parts {
            mac.update(part)?;
        }
        mac.sign().map(|tag| prefix(tag.as_ref()))
    }
}

impl Signer for CmacSigner {
    fn tag(&self, _nonce: &[u8; GMAC_NONCE_LEN], message: &[u8]) -> Result<Tag, CryptoError> {
        self.over(&[message]).map_err(|_| CryptoError::Failed)
    }

    fn tag_parts(&self, parts: &[&[u8]]) -> Option<Result<Tag, CryptoError>> {
        Some(self.over(parts).map_err(|_| CryptoError::Failed))
    }
}
