//! What an expression is made of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use regex::bytes::Regex;

use super::fields::Field;

/// Something that is true or not.
#[derive(Debug)]
pub(crate) enum Node {
    Constant(bool),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    OneOfTwo(Box<Node>, Box<Node>),
    Holds(Operand),
    Test(Operand, Test),
}

/// Something with a value.
#[derive(Debug)]
pub(crate) enum Operand {
    Field(&'static Field),
    Lower(Box<Operand>),
    Upper(Box<Operand>),
    Length(Box<Operand>),
    UrlDecode(Box<Operand>),
    StartsWith(Box<Operand>, Vec<u8>),
    EndsWith(Box<Operand>, Vec<u8>),
}

/// What a value is compared with.
#[derive(Debug)]
pub(crate) enum Test {
    Same(Literal),
    Different(Literal),
    Order(Order, i64),
    Contains(Vec<u8>),
    /// `matches` and both sorts of `wildcard`.
    Matches(Regex),
    In(Vec<Literal>),
}

/// Comparisons of numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Less,
    LessOrSame,
    Greater,
    GreaterOrSame,
}

/// A value in the text, or a set of them.
#[derive(Debug)]
pub(crate) enum Literal {
    Text(Vec<u8>),
    Numbers(i64, i64),
    Addresses(IpAddr, IpAddr),
}

/// The last address of a network, if the first one has no bits behind the mask.
pub(crate) fn last_of(first: IpAddr, bits: i64) -> Option<IpAddr> {
    let bits = u32::try_from(bits).ok()?;
    match first {
        IpAddr::V4(v4) => {
            let hosts = u32::MAX.checked_shr(bits).filter(|_| bits <= 32).or((bits == 32).then_some(0))?;
            (v4.to_bits() & hosts == 0).then(|| Ipv4Addr::from_bits(v4.to_bits() | hosts).into())
        }
        IpAddr::V6(v6) => {
            let hosts = u128::MAX.checked_shr(bits).filter(|_| bits <= 128).or((bits == 128).then_some(0))?;
            (v6.to_bits() & hosts == 0).then(|| Ipv6Addr::from_bits(v6.to_bits() | hosts).into())
        }
    }
}
