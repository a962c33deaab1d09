//! A strict scanner for the JSON of one line: it judges and builds nothing.
//!
//! Stricter than JSON: no white space, no duplicate keys, integers below 2^53, bounded depth.
//! The caller has made sure that the text is UTF-8 without control characters.

use memchr::memchr2;

/// How deep objects and lists may nest, the outermost counted.
pub(crate) const MAX_DEPTH: usize = 32;

/// The first integer that is too large: beyond it JavaScript and jq lose digits.
pub(crate) const TOO_LARGE: u64 = 1 << 53;

/// Objects with more keys than this have them sorted instead of compared with each other.
const FEW: usize = 8;

/// Why the text is refused.
pub(crate) type Reason = &'static str;

pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Steps over `expected`, or stays where it is.
    pub(crate) fn take(&mut self, expected: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    fn digits(&mut self) -> &'a [u8] {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    /// A whole number from 0 to 2^53 - 1, without leading zeros.
    pub(crate) fn natural(&mut self) -> Result<u64, Reason> {
        let digits = self.digits();
        if digits.is_empty() || (digits[0] == b'0' && digits.len() > 1) {
            return Err("a number is not written as JSON writes it");
        }
        let fold = |value: u64, digit: &u8| value * 10 + u64::from(digit - b'0');
        // 16 digits fit; 17 are too large anyway.
        let value = if digits.len() > 16 {
            TOO_LARGE
        } else {
            digits.iter().fold(0, fold)
        };
        if value >= TOO_LARGE {
            return Err("an integer is 2^53 or larger");
        }
        Ok(value)
    }

    /// A string; returns what stands between the quotes, escapes included.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Reason> {
        const UNENDED: Reason = "a string does not end";
        if !self.take(b"\"") {
            return Err("a string is missing");
        }
        let from = self.at;
        loop {
            self.at += memchr2(b'"', b'\\', &self.text[self.at..]).ok_or(UNENDED)?;
            if self.text[self.at] == b'"' {
                self.at += 1;
                return Ok(&self.text[from..self.at - 1]);
            }
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), Reason> {
        const BAD: Reason = "a string has an escape that JSON does not know";
        let rest = &self.text[self.at + 1..];
        match rest.first() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') if rest.len() > 4 && rest[1..5].iter().all(u8::is_ascii_hexdigit) => {
                self.at += 6;
            }
            _ => return Err(BAD),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Reason> {
        self.take(b"-");
        let from = self.at;
        let whole = self.natural();
        let fraction = self.take(b".");
        if fraction && self.digits().is_empty() {
            return Err("a number is not written as JSON writes it");
        }
        let exponent = self.take(b"e") || self.take(b"E");
        if exponent {
            let _ = self.take(b"+") || self.take(b"-");
            if self.digits().is_empty() {
                return Err("a number is not written as JSON writes it");
            }
        }
        match whole {
            // A float may have as many digits as it likes.
            Err(_) if (fraction || exponent) && well_formed(&self.text[from..]) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// Any value; `depth` is how many objects and lists may still be opened.
    pub(crate) fn value(&mut self, depth: usize) -> Result<(), Reason> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.take(b"true") || self.take(b"false") || self.take(b"null") => Ok(()),
            _ => Err("a value is not JSON"),
        }
    }

    fn list(&mut self, depth: usize) -> Result<(), Reason> {
        let depth = depth.checked_sub(1).ok_or("it nests too deep")?;
        self.take(b"[");
        if self.take(b"]") {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if self.take(b"]") {
                return Ok(());
            }
            if !self.take(b",") {
                return Err("a list does not go on as JSON does");
            }
        }
    }

    pub(crate) fn object(&mut self, depth: usize) -> Result<(), Reason> {
        let depth = depth.checked_sub(1).ok_or("it nests too deep")?;
        if !self.take(b"{") {
            return Err("an object is missing");
        }
        if self.take(b"}") {
            return Ok(());
        }
        let mut keys = Keys::default();
        loop {
            let key = self.string()?;
            keys.add(key)?;
            if !self.take(b":") {
                return Err("an object does not go on as JSON does");
            }
            self.value(depth)?;
            if self.take(b"}") {
                return keys.unique();
            }
            if !self.take(b",") {
                return Err("an object does not go on as JSON does");
            }
        }
    }
}

/// No leading zero: `00.5` is no number.
fn well_formed(number: &[u8]) -> bool {
    match number {
        [b'0', next, ..] => !next.is_ascii_digit(),
        [first, ..] => first.is_ascii_digit(),
        [] => false,
    }
}

const DUPLICATE: Reason = "a key stands twice in one object";

/// The keys of one object, as written.
#[derive(Default)]
struct Keys<'a> {
    few: [&'a [u8]; FEW],
    count: usize,
    many: Vec<&'a [u8]>,
    escaped: bool,
}

impl<'a> Keys<'a> {
    fn add(&mut self, key: &'a [u8]) -> Result<(), Reason> {
        self.escaped |= key.contains(&b'\\');
        if self.count < FEW {
            if self.few[..self.count].contains(&key) {
                return Err(DUPLICATE);
            }
            self.few[self.count] = key;
            self.count += 1;
        } else {
            self.many.push(key);
        }
        Ok(())
    }

    fn unique(mut self) -> Result<(), Reason> {
        if self.many.is_empty() && !self.escaped {
            return Ok(());
        }
        self.many.extend_from_slice(&self.few[..self.count]);
        if self.escaped {
            // `a` and `\u0061` are one key.
            let read = self
                .many
                .iter()
                .map(|key| unescaped(key))
                .collect::<Option<Vec<_>>>();
            return all_differ(read.ok_or("a key is no text")?);
        }
        all_differ(self.many)
    }
}

fn unescaped(key: &[u8]) -> Option<String> {
    serde_json::from_slice(&[b"\"", key, b"\""].concat()).ok()
}

fn all_differ<T: Ord>(mut keys: Vec<T>) -> Result<(), Reason> {
    keys.sort_unstable();
    if keys.windows(2).any(|pair| pair[0] == pair[1]) {
        Err(DUPLICATE)
    } else {
        Ok(())
    }
}
