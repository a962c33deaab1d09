//! Time, as entries carry it: monotonic since the session began, and what the wall clock said.

use std::fmt;
use std::time::{Duration, Instant, SystemTime};

/// Two clocks: one that only goes forwards, and one that somebody may set.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Nanoseconds since the session began.
    fn mono(&self) -> u64;
    /// Nanoseconds since 1970, in UTC.
    fn wall(&self) -> u64;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    /// When the session began.
    pub began: Instant,
}

impl Clock for SystemClock {
    fn mono(&self) -> u64 {
        nanoseconds(self.began.elapsed())
    }

    fn wall(&self) -> u64 {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        nanoseconds(since.unwrap_or_default())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes wall times as RFC 3339 with nine decimals. Remembers the last second: most entries share it.
#[derive(Debug)]
pub struct Stamp {
    second: u64,
    text: [u8; 19],
}

impl Default for Stamp {
    fn default() -> Self {
        Self {
            second: 0,
            text: *b"1970-01-01T00:00:00",
        }
    }
}

impl Stamp {
    /// Appends a time, in nanoseconds since 1970.
    pub fn write(&mut self, wall: u64, out: &mut Vec<u8>) {
        let (second, mut rest) = (wall / 1_000_000_000, wall % 1_000_000_000);
        if second != self.second {
            self.second = second;
            self.text = format_second(second);
        }
        out.extend_from_slice(&self.text);
        let mut decimals = *b".000000000Z";
        for place in (1..=9).rev() {
            decimals[place] += digit(rest % 10);
            rest /= 10;
        }
        out.extend_from_slice(&decimals);
    }
}

fn digit(value: u64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

fn format_second(second: u64) -> [u8; 19] {
    let (days, time) = (second / 86_400, second % 86_400);
    let (year, month, day) = civil(days);
    let mut text = *b"0000-00-00T00:00:00";
    let parts = [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, time / 3600),
        (14, 2, time / 60 % 60),
        (17, 2, time % 60),
    ];
    for (start, width, mut value) in parts {
        for place in (start..start + width).rev() {
            text[place] += digit(value % 10);
            value /= 10;
        }
    }
    text
}

/// Year, month and day of a number of days since 1970, in the Gregorian calendar.
///
/// Counts from the first of March of the year 0, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(wall: u64) -> String {
        let mut out = Vec::new();
        Stamp::default().write(wall, &mut out);
        String::from_utf8(out).expect("it is ASCII")
    }

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(
            stamp(951_782_400_000_000_007),
            "2000-02-29T00:00:00.000000007Z"
        );
        assert_eq!(
            stamp(1_709_251_199_999_999_999),
            "2024-02-29T23:59:59.999999999Z"
        );
        assert_eq!(
            stamp(4_107_542_400_000_000_000),
            "2100-03-01T00:00:00.000000000Z"
        );
    }

    #[test]
    fn the_remembered_second_does_not_stick() {
        let mut stamp = Stamp::default();
        let mut out = Vec::new();
        for wall in [5_000_000_000, 5_000_000_001, 4_000_000_000] {
            stamp.write(wall, &mut out);
        }
        let text = String::from_utf8(out).expect("it is ASCII");
        assert!(text.ends_with("1970-01-01T00:00:04.000000000Z"));
    }
}
