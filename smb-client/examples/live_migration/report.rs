//! What is measured of each path, and the table.

use std::time::Duration;

const GIB: f64 = (1u64 << 30) as f64;

/// What the two ends say of a stream that has ended.
pub struct Outcome {
    /// Bytes streamed.
    pub length: u64,
    /// Digest of what was sent.
    pub sent: [u8; 32],
    /// Digest of what the receiver took, where it told.
    pub received: Option<[u8; 32]>,
}

/// One measured run.
pub struct Row {
    /// How the bytes went.
    pub path: &'static str,
    /// Connections used.
    pub channels: usize,
    /// Signing or sealing, as negotiated.
    pub protection: String,
    /// Wall time.
    pub elapsed: Duration,
    /// CPU time of the sending and of the receiving side.
    pub cpu: Option<(Duration, Duration)>,
    /// What the ends say.
    pub outcome: Outcome,
}

impl Row {
    fn gbit(&self) -> f64 {
        self.outcome.length as f64 * 8e-9 / self.elapsed.as_secs_f64()
    }

    /// Whether the consumer took exactly what was sent.
    pub fn verified(&self) -> bool {
        self.outcome.received == Some(self.outcome.sent)
    }

    fn per_gib(&self, time: impl Fn(&(Duration, Duration)) -> Duration) -> Option<f64> {
        self.cpu.as_ref().map(|cpu| time(cpu).as_secs_f64() * GIB / self.outcome.length.max(1) as f64)
    }
}

/// Prints the rows; the first is the reference.
pub fn table(rows: &[Row]) {
    println!(
        "{:<22} {:>8}  {:<22} {:>7}  {:>17}  {:>11}  digest",
        "path", "channels", "protection", "Gbit/s", "CPU s/GiB s + r", "vs bare TCP"
    );
    for row in rows {
        let cpu = match (row.per_gib(|cpu| cpu.0), row.per_gib(|cpu| cpu.1)) {
            (Some(sender), Some(receiver)) => format!("{sender:.2} + {receiver:.2}"),
            _ => "unknown".into(),
        };
        let verdict = if row.verified() { "verified" } else { "DIFFERS" };
        println!(
            "{:<22} {:>8}  {:<22} {:>7.2}  {:>17}  {:>11.2}  {verdict}",
            row.path,
            row.channels,
            row.protection,
            row.gbit(),
            cpu,
            ratio(rows, row)
        );
    }
}

/// Prints the rows as one JSON document.
pub fn json(rows: &[Row]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            serde_json::json!({
                "path": row.path,
                "channels": row.channels,
                "protection": row.protection,
                "bytes": row.outcome.length,
                "seconds": row.elapsed.as_secs_f64(),
                "gbit_per_second": row.gbit(),
                "sender_cpu_seconds_per_gib": row.per_gib(|cpu| cpu.0),
                "receiver_cpu_seconds_per_gib": row.per_gib(|cpu| cpu.1),
                "ratio_to_bare_tcp": ratio(rows, row),
                "digest": blake3::Hash::from_bytes(row.outcome.sent).to_hex().as_str(),
                "verified": row.verified(),
            })
        })
        .collect();
    println!("{:#}", serde_json::json!({ "rows": rows }));
}

fn ratio(rows: &[Row], row: &Row) -> f64 {
    rows.first().map_or(1.0, |reference| row.gbit() / reference.gbit())
}
