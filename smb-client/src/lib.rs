//! An embeddable SMB3 client.
