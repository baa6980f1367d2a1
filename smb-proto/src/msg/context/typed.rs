//! What all typed create contexts have in common.

use super::create::CreateContext;
use crate::error::ParseError;

/// The data of one kind of create context, in one direction.
pub trait ContextData: Sized {
    /// Its name on the wire.
    const NAME: &'static [u8];

    /// Reads the data.
    fn parse(data: &[u8]) -> Result<Self, ParseError>;

    /// Writes the data.
    fn to_data(&self) -> Vec<u8>;

    /// The context.
    fn context(&self) -> CreateContext {
        CreateContext::new(Self::NAME, self.to_data())
    }

    /// The context of this kind among `contexts`, if there is one.
    fn find(contexts: &[CreateContext]) -> Option<Result<Self, ParseError>> {
        CreateContext::find(contexts, Self::NAME).map(|context| Self::parse(&context.data))
    }
}

#[cfg(test)]
pub(crate) fn check<T: ContextData + PartialEq + std::fmt::Debug>(value: &T, wire: &[u8]) {
    assert_eq!(value.to_data(), wire);
    assert_eq!(&T::parse(wire).unwrap(), value);
    for cut in 0..wire.len() {
        assert!(T::parse(&wire[..cut]).is_err(), "cut to {cut} bytes");
    }
    let contexts = [CreateContext::new(b"none", []), value.context()];
    assert_eq!(&T::find(&contexts).unwrap().unwrap(), value);
    assert!(T::find(&contexts[..1]).is_none());
}
