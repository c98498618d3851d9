//! Documents, the messages that they send, and the responses made of the answers.
