//! SPNEGO tokens — RFC 4178 section 4.2, [MS-SPNG] 2.2.

use super::{
    AuthError,
    der::{self, Reader, context},
};

/// An object identifier in its DER content form. Unknown ones survive.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Oid(Vec<u8>);

const NTLMSSP: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];
const KRB5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];
const MS_KRB5: &[u8] = &[0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02];
const NEGOEX: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x1e];
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];

/// What [MS-SPNG] 2.2.1 and every Windows server put into the hint name.
const HINT: &[u8] = b"not_defined_in_RFC4178@please_ignore";

/// More mechanisms than any peer has.
const MAX_MECHANISMS: usize = 32;

impl Oid {
    /// NTLM, 1.3.6.1.4.1.311.2.2.10.
    pub fn ntlmssp() -> Self {
        Self(NTLMSSP.to_vec())
    }

    /// Kerberos 5, 1.2.840.113554.1.2.2.
    pub fn krb5() -> Self {
        Self(KRB5.to_vec())
    }

    /// Kerberos 5 under the number that Windows 2000 got wrong and all sent since, 1.2.840.48018.1.2.2.
    pub fn ms_krb5() -> Self {
        Self(MS_KRB5.to_vec())
    }

    /// NegoEx, 1.3.6.1.4.1.311.2.2.30.
    pub fn negoex() -> Self {
        Self(NEGOEX.to_vec())
    }

    /// The DER content bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Oid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.as_bytes() {
            NTLMSSP => f.write_str("NTLMSSP"),
            KRB5 => f.write_str("Kerberos"),
            MS_KRB5 => f.write_str("Kerberos (Microsoft)"),
            NEGOEX => f.write_str("NegoEx"),
            other => write!(f, "Oid({other:02x?})"),
        }
    }
}

/// negState — RFC 4178 section 4.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegState(pub u8);

impl NegState {
    /// The exchange is over, with success.
    pub const ACCEPT_COMPLETED: Self = Self(0);
    /// Another token is needed.
    pub const ACCEPT_INCOMPLETE: Self = Self(1);
    /// The exchange is over, without success.
    pub const REJECT: Self = Self(2);
    /// As accept-incomplete, and the mechanism list must be authenticated.
    pub const REQUEST_MIC: Self = Self(3);
}

/// The first token of either side: the client's, or the server's in the NEGOTIATE response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NegTokenInit {
    /// Mechanisms, most wanted first.
    pub mech_types: Vec<Oid>,
    /// The optimistic token of the first mechanism.
    pub mech_token: Option<Vec<u8>>,
    /// The mechListMIC, which is of no use this early and only kept.
    pub mech_list_mic: Option<Vec<u8>>,
    /// The negHints' name ([MS-SPNG] 2.2.1), which says nothing and is only kept.
    pub hint_name: Option<Vec<u8>>,
    /// The MechTypeList as the sender encoded it: what the mechListMIC is computed over.
    pub mech_list_der: Vec<u8>,
}

impl NegTokenInit {
    /// A token that offers `mech_types`, with the first one's optimistic token.
    pub fn new(mech_types: Vec<Oid>, mech_token: Option<Vec<u8>>) -> Self {
        let mech_list_der = mech_list(&mech_types);
        Self { mech_types, mech_token, mech_list_mic: None, hint_name: None, mech_list_der }
    }

    /// The server's token for the NEGOTIATE response (NegTokenInit2 — [MS-SPNG] 2.2.1, 3.2.5.2).
    pub fn server(mech_types: Vec<Oid>) -> Self {
        Self { hint_name: Some(HINT.to_vec()), ..Self::new(mech_types, None) }
    }

    /// Reads a token with its GSS-API frame.
    pub fn parse(token: &[u8]) -> Result<Self, AuthError> {
        let mut outer = Reader::new(token);
        let mut frame = Reader::new(outer.expect(der::APPLICATION_0)?);
        outer.finish()?;
        if frame.expect(der::OID)? != SPNEGO {
            return Err(AuthError::Token("not a SPNEGO token"));
        }
        let mut choice = Reader::new(frame.expect(context(0))?);
        frame.finish()?;
        let fields = Reader::new(choice.expect(der::SEQUENCE)?);
        choice.finish()?;
        Self::fields(fields)
    }

    fn fields(mut fields: Reader<'_>) -> Result<Self, AuthError> {
        let mut list = fields.optional(0)?.ok_or(AuthError::Token("no mechanism list"))?;
        let (mech_list_der, types) = list.expect_raw(der::SEQUENCE)?;
        list.finish()?;
        let mech_types = oids(Reader::new(types))?;
        fields.optional(1)?; // reqFlags: deprecated and ignored
        let mech_token = octets(fields.optional(2)?)?;
        let mut init = Self {
            mech_token,
            ..Self { mech_list_der: mech_list_der.to_vec(), ..Self::new(mech_types, None) }
        };
        // Field 3 is the mechListMIC of RFC 4178 or the negHints of [MS-SPNG]; the type tells.
        if let Some(mut third) = fields.optional(3)? {
            match third.peek() {
                Some(der::OCTET_STRING) => init.mech_list_mic = octets(Some(third))?,
                _ => init.hint_name = hints(Reader::new(third.expect(der::SEQUENCE)?))?,
            }
        }
        if let Some(mic) = octets(fields.optional(4)?)? {
            init.mech_list_mic = Some(mic);
        }
        fields.finish()?;
        Ok(init)
    }

    /// Writes the token with its GSS-API frame.
    pub fn emit(&self) -> Vec<u8> {
        let mut fields = der::value(context(0), &self.mech_list_der);
        if let Some(token) = &self.mech_token {
            fields.extend(der::value(context(2), &der::value(der::OCTET_STRING, token)));
        }
        let mut mic_field = 3;
        if let Some(name) = &self.hint_name {
            let name = der::value(context(0), &der::value(der::GENERAL_STRING, name));
            fields.extend(der::value(context(3), &der::value(der::SEQUENCE, &name)));
            mic_field = 4;
        }
        if let Some(mic) = &self.mech_list_mic {
            fields.extend(der::value(context(mic_field), &der::value(der::OCTET_STRING, mic)));
        }
        let mut frame = der::value(der::OID, SPNEGO);
        frame.extend(der::value(context(0), &der::value(der::SEQUENCE, &fields)));
        der::value(der::APPLICATION_0, &frame)
    }
}

/// Every token after the first — RFC 4178 section 4.2.2.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NegTokenResp {
    /// How the exchange stands.
    pub neg_state: Option<NegState>,
    /// The mechanism chosen; only in the acceptor's first token.
    pub supported_mech: Option<Oid>,
    /// The mechanism's own token.
    pub response_token: Option<Vec<u8>>,
    /// The mechanism's signature over the mechanism list.
    pub mech_list_mic: Option<Vec<u8>>,
}

impl NegTokenResp {
    /// Reads a token.
    pub fn parse(token: &[u8]) -> Result<Self, AuthError> {
        let mut outer = Reader::new(token);
        let mut choice = Reader::new(outer.expect(context(1))?);
        outer.finish()?;
        let mut fields = Reader::new(choice.expect(der::SEQUENCE)?);
        choice.finish()?;
        let neg_state = fields.optional(0)?.map(state).transpose()?;
        let supported_mech = fields.optional(1)?.map(oid).transpose()?;
        let response_token = octets(fields.optional(2)?)?;
        let mech_list_mic = octets(fields.optional(3)?)?;
        fields.finish()?;
        Ok(Self { neg_state, supported_mech, response_token, mech_list_mic })
    }

    /// Writes the token.
    pub fn emit(&self) -> Vec<u8> {
        let mut fields = Vec::new();
        if let Some(state) = self.neg_state {
            fields.extend(der::value(context(0), &der::value(der::ENUMERATED, &[state.0])));
        }
        if let Some(mech) = &self.supported_mech {
            fields.extend(der::value(context(1), &der::value(der::OID, mech.as_bytes())));
        }
        if let Some(token) = &self.response_token {
            fields.extend(der::value(context(2), &der::value(der::OCTET_STRING, token)));
        }
        if let Some(mic) = &self.mech_list_mic {
            fields.extend(der::value(context(3), &der::value(der::OCTET_STRING, mic)));
        }
        der::value(context(1), &der::value(der::SEQUENCE, &fields))
    }
}

fn mech_list(types: &[Oid]) -> Vec<u8> {
    let oids: Vec<u8> = types.iter().flat_map(|oid| der::value(der::OID, oid.as_bytes())).collect();
    der::value(der::SEQUENCE, &oids)
}

fn oids(mut reader: Reader<'_>) -> Result<Vec<Oid>, AuthError> {
    let mut oids = Vec::new();
    while reader.peek().is_some() {
        if oids.len() == MAX_MECHANISMS {
            return Err(AuthError::Token("too many mechanisms"));
        }
        oids.push(Oid(reader.expect(der::OID)?.to_vec()));
    }
    Ok(oids)
}

fn oid(mut reader: Reader<'_>) -> Result<Oid, AuthError> {
    let oid = reader.expect(der::OID)?.to_vec();
    reader.finish()?;
    Ok(Oid(oid))
}

fn state(mut reader: Reader<'_>) -> Result<NegState, AuthError> {
    let content = reader.expect(der::ENUMERATED)?;
    reader.finish()?;
    match content {
        [value] => Ok(NegState(*value)),
        _ => Err(AuthError::Token("negState is not one byte")),
    }
}

fn octets(field: Option<Reader<'_>>) -> Result<Option<Vec<u8>>, AuthError> {
    let Some(mut field) = field else { return Ok(None) };
    let octets = field.expect(der::OCTET_STRING)?.to_vec();
    field.finish()?;
    Ok(Some(octets))
}

fn hints(mut hints: Reader<'_>) -> Result<Option<Vec<u8>>, AuthError> {
    let Some(mut name) = hints.optional(0)? else { return Ok(None) };
    name.expect(der::GENERAL_STRING).map(|name| Some(name.to_vec()))
}
