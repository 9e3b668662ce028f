use crate::args::Login;
use crate::client::Client;
use crate::credentials;
use crate::exit::{Failure, Result};
use crate::output::{line, say};
use eventflow_proto::v1;
use std::io::BufRead as _;
use tonic::Code;

pub(super) async fn login(client: &Client, args: Login) -> Result<()> {
    let password =
        if args.password_stdin { password_from_stdin()? } else { development_password(client).await? };
    let request = v1::IssueTokenRequest { username: args.username.clone(), password };
    let answer = client.auth().issue_token(request).await.map_err(|status| match status.code() {
        Code::Unauthenticated => Failure::new(Failure::NO_PERMISSION, "wrong username or password"),
        _ => client.failed()(status),
    })?;
    let token = answer.into_inner().token;
    if args.print {
        return line(&token);
    }
    let path = credentials::save(&client.url, &token)?;
    say(&format!("logged in to {} as {}; the token is in {}", client.url, args.username, path.display()));
    Ok(())
}

/// The first line of stdin.
pub(super) fn password_from_stdin() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::new(Failure::NO_INPUT, format!("cannot read the password from stdin: {error}"))
    })?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// `admin`, where the server says that development login is on.
async fn development_password(client: &Client) -> Result<String> {
    let options =
        client.auth().get_login_options(v1::GetLoginOptionsRequest {}).await.map_err(client.failed())?;
    if options.into_inner().dev_login {
        return Ok("admin".to_owned());
    }
    let text = "this server has no development login: give the password by --password-stdin";
    Err(Failure::new(Failure::NO_PERMISSION, text))
}
