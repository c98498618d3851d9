//! Documents that ask for too much.
