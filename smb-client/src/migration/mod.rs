//! Migration: a stream of bytes that arrives whole, or not at all.

mod image;
mod writer;

pub use image::send_image;
pub use writer::StreamWriter;
