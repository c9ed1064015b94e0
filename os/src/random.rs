//! Bytes that nobody can guess, from the system: for passwords that we make up (ACL GENPASS).
//!
//! Seeds that need not be secret come from the hash keys of the standard library instead.

/// Fills `bytes`.
///
/// # Errors
/// When the system has no randomness to give.
pub fn fill(bytes: &mut [u8]) -> std::io::Result<()> {
    getrandom::fill(bytes).map_err(std::io::Error::from)
}

#[cfg(test)]
mod tests {
    #[test]
    fn bytes_differ() {
        let mut both = [[0; 32]; 2];
        for bytes in &mut both {
            super::fill(bytes).expect("every system has some");
        }
        assert_ne!(both[0], both[1]);
        assert_ne!(both[0], [0; 32]);
    }
}
