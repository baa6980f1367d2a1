//! Sizes, rates and times, as people write them.

use std::time::Duration;

/// Bytes: `4096`, `64K`, `1G`; powers of 1024.
pub fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let factor = match unit.trim_end_matches(['i', 'B', 'b']) {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        "t" | "T" => 1 << 40,
        _ => return Err("a number and one of K, M, G, T".to_owned()),
    };
    scaled(number, factor)
}

/// Bytes per second, from bits (`1Gbit`) or bytes (`20MB`); powers of 1000.
pub fn rate(text: &str) -> Result<u64, String> {
    const WRONG: &str = "a rate such as 1Gbit, 500Mbit or 20MB";
    let (number, unit) = split(text.trim_end_matches("/s"));
    let (unit, divisor) = match unit.strip_suffix("bit") {
        Some(unit) => (unit, 8),
        None => (unit.strip_suffix('B').ok_or(WRONG)?, 1),
    };
    let factor = match unit {
        "" => 1,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        _ => return Err(WRONG.to_owned()),
    };
    match scaled(number, factor)? / divisor {
        0 => Err(WRONG.to_owned()),
        rate => Ok(rate),
    }
}

/// A time in seconds, such as 2 or 0.5.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is missing".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

fn scaled(number: &str, factor: u64) -> Result<u64, String> {
    let number: u64 = number.parse().map_err(|_| "a whole number is missing".to_owned())?;
    number.checked_mul(factor).ok_or_else(|| "too large".to_owned())
}

/// Bytes for people.
pub fn show(bytes: u64) -> String {
    let mut value = approximate(bytes);
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// As a floating point number, which loses some of the last digits of very large ones.
pub fn approximate(value: u64) -> f64 {
    let (high, low) = (value >> 32, value & 0xffff_ffff);
    let part = |part: u64| u32::try_from(part).map_or(0.0, f64::from);
    part(high) * 4_294_967_296.0 + part(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_rates() {
        assert_eq!((size("1G"), size("64KiB"), size("7")), (Ok(1 << 30), Ok(65_536), Ok(7)));
        assert!(size("G").is_err() && size("1X").is_err() && size("99999999999T").is_err());
        assert_eq!(
            (rate("1Gbit"), rate("20MB"), rate("8kbit/s")),
            (Ok(125_000_000), Ok(20_000_000), Ok(1_000))
        );
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert!(seconds("-1").is_err() && seconds("1s").is_err());
        assert!(rate("1G").is_err() && rate("4bit").is_err() && rate("fast").is_err());
        assert_eq!((show(0), show(1536), show(1 << 30)), ("0 B".into(), "1.5 KiB".into(), "1.0 GiB".into()));
    }
}
