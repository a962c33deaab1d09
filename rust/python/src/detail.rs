//! From Python's plain values to those of an entry's detail.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use theus_core::audit::Value;

use crate::errors::theus_error;

/// Characters and elements that one entry may have. A log is no place for data.
const LIMIT: usize = 1 << 20;

/// How deep lists and dicts may lie in each other.
const DEPTH: usize = 16;

/// Characters that are kept of a name: a type's, a function's, a file's.
const NAME: usize = 4096;

/// Names of the fields whose text could not be written as it was, or not all of it.
#[derive(Default)]
pub struct Changes {
    pub replaced: Vec<&'static str>,
    pub cut: Vec<&'static str>,
}

impl Changes {
    /// A text with U+FFFD in place of what is no text; the field is remembered then.
    pub fn text(&mut self, field: &'static str, text: &Bound<'_, PyString>) -> String {
        let (text, lossless) = lossy(text);
        if !lossless && !self.replaced.contains(&field) {
            self.replaced.push(field);
        }
        text
    }

    /// The same for a name, of which only the beginning is kept if it is none.
    pub fn name(&mut self, field: &'static str, text: &Bound<'_, PyString>) -> String {
        let text = self.text(field, text);
        self.cut_to(NAME, field, text)
    }

    /// The beginning of a text that is longer than an entry may be.
    pub fn cut(&mut self, field: &'static str, text: String) -> String {
        self.cut_to(LIMIT, field, text)
    }

    fn cut_to(&mut self, limit: usize, field: &'static str, mut text: String) -> String {
        if let Some(end) = end_of(&text, limit) {
            text.truncate(end);
            if !self.cut.contains(&field) {
                self.cut.push(field);
            }
        }
        text
    }

    /// What an entry says of them, in fields of its own.
    pub fn add_to(self, detail: &mut Vec<(String, Value)>) {
        for (key, names) in [("replaced", self.replaced), ("cut", self.cut)] {
            if !names.is_empty() {
                let names = names.into_iter().map(Value::from).collect();
                detail.push((key.to_owned(), Value::List(names)));
            }
        }
    }
}

/// The beginning of a name of any length.
pub fn clip(mut name: String) -> String {
    if let Some(end) = end_of(&name, NAME) {
        name.truncate(end);
    }
    name
}

/// Where a text's first `limit` characters end, if it has more.
fn end_of(text: &str, limit: usize) -> Option<usize> {
    if text.len() <= limit {
        return None;
    }
    text.char_indices().nth(limit).map(|(end, _)| end)
}

/// The fields of an entry's detail. Those with replaced text are named in a last one, `replaced`.
pub fn fields(detail: &Bound<'_, PyDict>) -> PyResult<Vec<(String, Value)>> {
    let mut fields = Vec::with_capacity(detail.len());
    let mut replaced = Vec::new();
    let mut left = LIMIT;
    for (key, value) in detail {
        let key = key.cast_into::<PyString>()?;
        let mut lossless = true;
        let value = convert(&value, DEPTH, &mut left, &mut lossless)?;
        let (key, key_lossless) = lossy(&key);
        if !(lossless && key_lossless) {
            replaced.push(Value::Text(key.clone()));
        }
        fields.push((key, value));
    }
    if !replaced.is_empty() {
        fields.push(("replaced".to_owned(), Value::List(replaced)));
    }
    Ok(fields)
}

/// The text of a note, and whether it could be taken as it was.
pub fn text(given: &Bound<'_, PyAny>) -> PyResult<(String, bool)> {
    let py = given.py();
    let Ok(text) = given.cast::<PyString>() else {
        let kind = given.get_type().name()?;
        let message = format!("a note is a text, not {kind}: write theus.audit.note(str(...))");
        return Err(theus_error(py, "AuditError", &message));
    };
    let length = text.len()?;
    if length > LIMIT {
        let message = format!(
            "a note has at most {LIMIT} characters, not {length}: keep the text in a file and note its name"
        );
        return Err(theus_error(py, "AuditError", &message));
    }
    Ok(lossy(text))
}

fn convert(
    value: &Bound<'_, PyAny>,
    depth: usize,
    left: &mut usize,
    lossless: &mut bool,
) -> PyResult<Value> {
    let depth = depth.checked_sub(1).ok_or_else(|| too_large(value.py()))?;
    if value.is_none() {
        spend(value.py(), left, 1)?;
        Ok(Value::Null)
    } else if let Ok(text) = value.cast_exact::<PyString>() {
        spend(value.py(), left, text.len()?)?;
        let (text, whole) = lossy(text);
        *lossless &= whole;
        Ok(Value::Text(text))
    } else if value.is_exact_instance_of::<PyBool>() {
        Ok(Value::Bool(value.extract()?))
    } else if value.is_exact_instance_of::<PyInt>() {
        spend(value.py(), left, 20)?;
        value.extract().map(Value::Int).or_else(|_| {
            // Python itself refuses decimals of many thousand digits; hexadecimal ones it makes.
            let decimal = value.str().and_then(|text| text.extract::<String>());
            let text = match decimal {
                Ok(text) => text,
                Err(_) => value.call_method1("__format__", ("#x",))?.extract()?,
            };
            spend(value.py(), left, text.len())?;
            Ok(Value::Text(text))
        })
    } else if value.is_exact_instance_of::<PyFloat>() {
        spend(value.py(), left, 20)?;
        Ok(Value::Float(value.extract()?))
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        list.iter()
            .map(|item| convert(&item, depth, left, lossless))
            .collect::<PyResult<_>>()
            .map(Value::List)
    } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
        tuple
            .iter()
            .map(|item| convert(&item, depth, left, lossless))
            .collect::<PyResult<_>>()
            .map(Value::List)
    } else if let Ok(dict) = value.cast_exact::<PyDict>() {
        let mut inner = Vec::with_capacity(dict.len());
        for (key, value) in dict {
            let (key, whole) = lossy(key.cast::<PyString>()?);
            *lossless &= whole;
            inner.push((key, convert(&value, depth, left, lossless)?));
        }
        Ok(Value::Map(inner))
    } else {
        // Values are never logged.
        *lossless = false;
        let name = value.get_type().name()?;
        Ok(Value::Text(format!("<{}>", lossy(&name).0)))
    }
}

fn spend(py: Python<'_>, left: &mut usize, cost: usize) -> PyResult<()> {
    *left = left.checked_sub(cost).ok_or_else(|| too_large(py))?;
    Ok(())
}

fn too_large(py: Python<'_>) -> PyErr {
    let message = format!(
        "an audit entry holds at most {LIMIT} characters, {DEPTH} levels deep: keep large things in a file and note \
         its name"
    );
    theus_error(py, "AuditError", &message)
}

/// A text as UTF-8, and whether nothing had to be replaced for that.
fn lossy(text: &Bound<'_, PyString>) -> (String, bool) {
    if let Ok(text) = text.to_str() {
        return (text.to_owned(), true);
    }
    // Lone surrogates: one replacement character each.
    let units: Option<Vec<u8>> = text
        .call_method1("encode", ("utf-16-le", "surrogatepass"))
        .and_then(|bytes| bytes.extract())
        .ok();
    let units = units.unwrap_or_default();
    let pairs = units
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let text = char::decode_utf16(pairs)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    (text, false)
}
