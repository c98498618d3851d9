//! What can be typed after `banyan users`.

use clap::Subcommand;

#[derive(Debug, Clone, Subcommand)]
pub enum UsersCommand {
    /// Add a user
    Add {
        /// The e-mail address
        email: String,
        /// What the user is called
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// A role that the user has; again for more
        #[arg(long, value_name = "ROLE", default_values_t = ["user".to_owned()])]
        role: Vec<String>,
        /// Read the password from standard input [default: make one up, and print it]
        #[arg(long)]
        password_stdin: bool,
    },
    /// Show the users, and what they may do
    List,
    /// Give a user roles and permissions
    Grant {
        /// The user's e-mail address or id
        user: String,
        /// Roles, and permissions such as `orders:place`
        #[arg(required = true, value_name = "ROLE|PERMISSION")]
        what: Vec<String>,
    },
    /// Take roles and permissions from a user
    Revoke {
        /// The user's e-mail address or id
        user: String,
        /// Roles, and permissions such as `orders:place`
        #[arg(required = true, value_name = "ROLE|PERMISSION")]
        what: Vec<String>,
    },
    /// Print an access token of a user, for a few minutes
    Token {
        /// The user's e-mail address or id
        user: String,
    },
}
