//! From text to a tree: `or` of `xor` of `and` of what may be negated.

use regex::bytes::RegexBuilder;

use super::SyntaxError;
use super::fields::{Field, Kind, field_named};
use super::scanner::Scanner;
use super::tree::{Literal, Node, Operand, Order, Test, last_of};

type Result<T> = std::result::Result<T, SyntaxError>;

/// How deep parentheses and negations may stand in each other.
const DEEPEST: usize = 100;

/// A tree, and what it used that not every plan has.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) root: Node,
    pub(crate) fields: Vec<&'static Field>,
    pub(crate) regex: bool,
}

/// Reads a whole expression.
pub(crate) fn parse(text: &str) -> Result<Parsed> {
    let mut parser = Parser { scanner: Scanner::new(text), fields: Vec::new(), regex: false, depth: 0 };
    let root = parser.any()?;
    if !parser.scanner.is_at_end() {
        return parser.scanner.error("unrecognised input");
    }
    Ok(Parsed { root, fields: parser.fields, regex: parser.regex })
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    fields: Vec<&'static Field>,
    regex: bool,
    depth: usize,
}

impl Parser<'_> {
    fn operator(&mut self, word: &str, symbol: &str) -> bool {
        self.scanner.word(word) || self.scanner.symbol(symbol)
    }

    fn any(&mut self) -> Result<Node> {
        let mut nodes = vec![self.one_of_two()?];
        while self.operator("or", "||") {
            nodes.push(self.one_of_two()?);
        }
        Ok(Node::Any(nodes))
    }

    fn one_of_two(&mut self) -> Result<Node> {
        let mut node = self.all()?;
        while self.operator("xor", "^^") {
            node = Node::OneOfTwo(Box::new(node), Box::new(self.all()?));
        }
        Ok(node)
    }

    fn all(&mut self) -> Result<Node> {
        let mut nodes = vec![self.single()?];
        while self.operator("and", "&&") {
            nodes.push(self.single()?);
        }
        Ok(Node::All(nodes))
    }

    fn single(&mut self) -> Result<Node> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.scanner.error("nested too deeply");
        }
        let node = if self.operator("not", "!") {
            Node::Not(Box::new(self.single()?))
        } else if self.scanner.symbol("(") {
            let node = self.any()?;
            self.scanner.expect(")")?;
            node
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn comparison(&mut self) -> Result<Node> {
        for truth in [true, false] {
            if self.scanner.word(if truth { "true" } else { "false" }) {
                return Ok(Node::Constant(truth));
            }
        }
        let (operand, kind) = self.operand()?;
        match kind {
            Kind::Truth => Ok(Node::Holds(operand)),
            Kind::Text => Ok(Node::Test(operand, self.text_test()?)),
            Kind::Number => Ok(Node::Test(operand, self.number_test()?)),
            Kind::Address => Ok(Node::Test(operand, self.address_test()?)),
        }
    }

    fn operand(&mut self) -> Result<(Operand, Kind)> {
        let word = self.scanner.any_word()?;
        if self.scanner.symbol("(") {
            let found = self.call(word)?;
            self.scanner.expect(")")?;
            return Ok(found);
        }
        match field_named(word) {
            Some(field) => {
                self.fields.push(field);
                Ok((Operand::Field(field), field.kind))
            }
            None => self.scanner.error(format!("unknown identifier {word:?}")),
        }
    }

    fn call(&mut self, name: &str) -> Result<(Operand, Kind)> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.scanner.error("nested too deeply");
        }
        let (argument, kind) = self.operand()?;
        self.depth -= 1;
        if kind != Kind::Text {
            return self.scanner.error(format!("{name} takes a text"));
        }
        let argument = Box::new(argument);
        Ok(match name {
            "lower" => (Operand::Lower(argument), Kind::Text),
            "upper" => (Operand::Upper(argument), Kind::Text),
            "url_decode" => (Operand::UrlDecode(argument), Kind::Text),
            "len" => (Operand::Length(argument), Kind::Number),
            "starts_with" => (Operand::StartsWith(argument, self.second_string()?), Kind::Truth),
            "ends_with" => (Operand::EndsWith(argument, self.second_string()?), Kind::Truth),
            _ => return self.scanner.error(format!("unknown identifier {name:?}")),
        })
    }

    fn second_string(&mut self) -> Result<Vec<u8>> {
        self.scanner.expect(",")?;
        self.scanner.string(false)
    }

    fn text_test(&mut self) -> Result<Test> {
        Ok(if self.operator("eq", "==") {
            Test::Same(Literal::Text(self.scanner.string(false)?))
        } else if self.operator("ne", "!=") {
            Test::Different(Literal::Text(self.scanner.string(false)?))
        } else if self.scanner.word("contains") {
            Test::Contains(self.scanner.string(false)?)
        } else if self.operator("matches", "~") {
            self.regex = true;
            let pattern = self.scanner.string(true)?;
            self.compile(&String::from_utf8_lossy(&pattern), true)?
        } else if self.scanner.word("wildcard") {
            self.wildcard(false)?
        } else if self.scanner.word("strict") && self.scanner.word("wildcard") {
            self.wildcard(true)?
        } else if self.scanner.word("in") {
            self.set(|parser| Ok(Literal::Text(parser.scanner.string(false)?)))?
        } else {
            return self.scanner.error("expected an operator for a text");
        })
    }

    fn number_test(&mut self) -> Result<Test> {
        // The longer symbols stand first, as they begin with the shorter ones.
        let orders = [
            ("le", "<=", Order::LessOrSame),
            ("ge", ">=", Order::GreaterOrSame),
            ("lt", "<", Order::Less),
            ("gt", ">", Order::Greater),
        ];
        if self.operator("eq", "==") {
            let number = self.scanner.number()?;
            return Ok(Test::Same(Literal::Numbers(number, number)));
        }
        if self.operator("ne", "!=") {
            let number = self.scanner.number()?;
            return Ok(Test::Different(Literal::Numbers(number, number)));
        }
        for (word, symbol, order) in orders {
            if self.operator(word, symbol) {
                return Ok(Test::Order(order, self.scanner.number()?));
            }
        }
        if !self.scanner.word("in") {
            return self.scanner.error("expected an operator for a number");
        }
        self.set(|parser| {
            let first = parser.scanner.number()?;
            let last = if parser.scanner.symbol("..") { parser.scanner.number()? } else { first };
            if first <= last {
                Ok(Literal::Numbers(first, last))
            } else {
                parser.scanner.error("incompatible range bounds")
            }
        })
    }

    fn address_test(&mut self) -> Result<Test> {
        if self.operator("eq", "==") {
            let address = self.scanner.address()?;
            return Ok(Test::Same(Literal::Addresses(address, address)));
        }
        if self.operator("ne", "!=") {
            let address = self.scanner.address()?;
            return Ok(Test::Different(Literal::Addresses(address, address)));
        }
        if !self.scanner.word("in") {
            return self.scanner.error("expected an operator for an address");
        }
        self.set(Self::addresses)
    }

    /// An address, a range or a network.
    fn addresses(&mut self) -> Result<Literal> {
        let first = self.scanner.address()?;
        if self.scanner.symbol("..") {
            let last = self.scanner.address()?;
            if first.is_ipv4() != last.is_ipv4() || first > last {
                return self.scanner.error("incompatible range bounds");
            }
            return Ok(Literal::Addresses(first, last));
        }
        if !self.scanner.symbol("/") {
            return Ok(Literal::Addresses(first, first));
        }
        let bits = self.scanner.number()?;
        match last_of(first, bits) {
            Some(last) => Ok(Literal::Addresses(first, last)),
            None => self.scanner.error("couldn't parse network: bits behind the mask, or too many in it"),
        }
    }

    fn set(&mut self, mut item: impl FnMut(&mut Self) -> Result<Literal>) -> Result<Test> {
        if self.scanner.symbol("$") {
            return self.scanner.error("there is no such list");
        }
        self.scanner.expect("{")?;
        let mut items = Vec::new();
        while !self.scanner.symbol("}") {
            items.push(item(self)?);
        }
        if items.is_empty() { self.scanner.error("an empty set") } else { Ok(Test::In(items)) }
    }

    fn wildcard(&mut self, strict: bool) -> Result<Test> {
        let text = self.scanner.string(false)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if text.contains("**") {
            return self.scanner.error("two stars in a row");
        }
        let mut pattern = "(?s)^".to_owned();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '*' => pattern.push_str(".*"),
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '\\')) => pattern.push_str(&regex::escape(&escaped.to_string())),
                    _ => return self.scanner.error("a backslash escapes only a star or itself"),
                },
                _ => pattern.push_str(&regex::escape(&character.to_string())),
            }
        }
        pattern.push('$');
        self.compile(&pattern, strict)
    }

    fn compile(&self, pattern: &str, case: bool) -> Result<Test> {
        match RegexBuilder::new(pattern).case_insensitive(!case).size_limit(1 << 20).build() {
            Ok(regex) => Ok(Test::Matches(regex)),
            Err(error) => self.scanner.error(error.to_string()),
        }
    }
}
