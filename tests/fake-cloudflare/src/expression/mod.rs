//! The rules language as far as rules of a zone's firewall need it: a strict parser, what plans have, and evaluation.
//!
//! What it doesn't know it refuses. It is never shared with anything that builds expressions.

mod fields;
mod parser;
mod request;
mod scanner;
mod tree;

use std::fmt;

use fields::Value;
use parser::Parsed;
pub use request::Visit;
use secmon_fake_http::percent_decode;
pub(crate) use tree::last_of;
use tree::{Literal, Node, Operand, Order, Test};

use crate::plan::Plan;

/// Which rules an expression stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Custom rules.
    Custom,
    /// Rate limiting rules.
    Rate,
}

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where, counted from 1.
    pub at: usize,
    /// What was expected there.
    pub what: String,
}

/// An expression that was understood.
#[derive(Debug)]
pub struct Expression(Parsed);

/// Whether an expression matches a visit.
pub fn evaluates(expression: &str, visit: &Visit) -> Result<bool, SyntaxError> {
    Ok(Expression::parse(expression)?.matches(visit))
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter parsing error (1:{}): {}", self.at, self.what)
    }
}

impl std::error::Error for SyntaxError {}

impl Expression {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        parser::parse(text).map(Self)
    }

    /// Whether it matches a visit.
    #[must_use]
    pub fn matches(&self, visit: &Visit) -> bool {
        holds(&self.0.root, visit)
    }

    /// Whether a plan has everything that it uses, or what is missing, as the service words it.
    pub fn allowed(&self, plan: Plan, place: Place) -> Result<(), String> {
        if self.0.regex && !plan.limits().regex {
            let needed = match place {
                Place::Custom => "a Business plan or a WAF Advanced plan is required",
                Place::Rate => "an Advanced Rate Limiting plan is required",
            };
            return Err(format!("not entitled: the use of operator Matches is not allowed, {needed}"));
        }
        let needs = |field: &fields::Field| match place {
            Place::Custom => field.custom,
            Place::Rate => field.rate,
        };
        match self.0.fields.iter().find(|field| needs(field) > plan) {
            Some(field) => Err(format!("not entitled: the use of field {} is not allowed", field.name)),
            None => Ok(()),
        }
    }
}

fn holds(node: &Node, visit: &Visit) -> bool {
    match node {
        Node::Constant(truth) => *truth,
        Node::Not(inner) => !holds(inner, visit),
        Node::All(nodes) => nodes.iter().all(|node| holds(node, visit)),
        Node::Any(nodes) => nodes.iter().any(|node| holds(node, visit)),
        Node::OneOfTwo(one, other) => holds(one, visit) != holds(other, visit),
        Node::Holds(operand) => value(operand, visit) == Value::Truth(true),
        Node::Test(operand, test) => passes(&value(operand, visit), test),
    }
}

fn value(operand: &Operand, visit: &Visit) -> Value {
    let text = |operand: &Operand| match value(operand, visit) {
        Value::Text(text) => text,
        // The parser lets only texts into functions.
        _ => Vec::new(),
    };
    match operand {
        Operand::Field(field) => (field.value)(visit),
        Operand::Lower(inner) => Value::Text(text(inner).to_ascii_lowercase()),
        Operand::Upper(inner) => Value::Text(text(inner).to_ascii_uppercase()),
        Operand::UrlDecode(inner) => Value::Text(percent_decode(&text(inner))),
        Operand::Length(inner) => Value::Number(i64::try_from(text(inner).len()).unwrap_or(i64::MAX)),
        Operand::StartsWith(inner, start) => Value::Truth(text(inner).starts_with(start)),
        Operand::EndsWith(inner, end) => Value::Truth(text(inner).ends_with(end)),
    }
}

fn passes(value: &Value, test: &Test) -> bool {
    match (test, value) {
        (Test::Same(literal), _) => is_in(value, literal),
        (Test::Different(literal), _) => !is_in(value, literal),
        (Test::In(items), _) => items.iter().any(|item| is_in(value, item)),
        (Test::Order(order, limit), Value::Number(number)) => match order {
            Order::Less => number < limit,
            Order::LessOrSame => number <= limit,
            Order::Greater => number > limit,
            Order::GreaterOrSame => number >= limit,
        },
        (Test::Contains(part), Value::Text(text)) => {
            part.is_empty() || text.windows(part.len()).any(|window| window == part)
        }
        (Test::Matches(regex), Value::Text(text)) => regex.is_match(text),
        (Test::Order(..) | Test::Contains(_) | Test::Matches(_), _) => false,
    }
}

fn is_in(value: &Value, literal: &Literal) -> bool {
    match (value, literal) {
        (Value::Text(text), Literal::Text(wanted)) => text == wanted,
        (Value::Number(number), Literal::Numbers(first, last)) => (first..=last).contains(&number),
        // Addresses of different families are ordered one family after the other, so they never mix.
        (Value::Address(address), Literal::Addresses(first, last)) => (first..=last).contains(&address),
        _ => false,
    }
}

#[cfg(test)]
#[path = "../expression_tests.rs"]
mod tests;
