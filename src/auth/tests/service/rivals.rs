//! Several instances at once, and instances that die.

use std::time::Duration;

use auth::messages::{RefreshToken, RegisterUser};
use banyan_sdk::FaultCode;
use futures_util::future::join_all;
use tokio::time::sleep;

use super::stage::{Instance, PASSWORD, Stage};

fn refreshing(token: &str) -> RefreshToken {
    RefreshToken { refresh_token: token.to_owned() }
}

#[tokio::test]
async fn two_instances_trade_one_refresh_token_once() {
    let stage = Stage::set().await;
    let instances = [Instance::start(&stage, &[]), Instance::start(&stage, &[])];
    for instance in &instances {
        instance.ready().await;
    }
    stage.create("ann@example.com", &["user"]).await;
    let mut token = stage.log_in("ann@example.com", PASSWORD).await.unwrap().refresh_token;
    for round in 0..20 {
        // the broker hands them to both in turn
        let answers = join_all((0..4).map(|_| stage.call(None, refreshing(&token)))).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 3), "round {round}");
        for fault in lost.into_iter().filter_map(Result::err) {
            assert_eq!(fault.code, FaultCode::Unauthorized, "round {round}: {fault}");
        }
        token = won.into_iter().find_map(Result::ok).unwrap().refresh_token;
    }
    let sql = "select count(*) from events where event_type = 'SessionRefreshed'";
    let mut database = stage.database().await;
    let refreshed: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
    assert_eq!(refreshed, 20);
    let sql = "select count(*) from auth_refresh_tokens where used_at is null";
    let good: i64 = sqlx::query_scalar(sql).fetch_one(&mut database).await.unwrap();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn an_address_is_given_once_whoever_asks() {
    let stage = Stage::set().await;
    let instances = [Instance::start(&stage, &[]), Instance::start(&stage, &[])];
    for instance in &instances {
        instance.ready().await;
    }
    let register = |number: usize| {
        let (email, password) = ("ann@example.com".to_owned(), format!("canary password {number}"));
        stage.call(None, RegisterUser { email, password, name: None, ip_address: None })
    };
    join_all((0..8).map(register)).await;
    let mut fits = 0;
    for number in 0..4 {
        fits += usize::from(stage.log_in("ann@example.com", &format!("canary password {number}")).await.is_ok());
    }
    sqlx::query("delete from auth_attempts").execute(&mut stage.database().await).await.unwrap();
    for number in 4..8 {
        fits += usize::from(stage.log_in("ann@example.com", &format!("canary password {number}")).await.is_ok());
    }
    assert_eq!(fits, 1, "one password, and it is one that somebody gave");
    for table in ["credentials", "auth_accounts"] {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let rows: i64 = sqlx::query_scalar(sql).fetch_one(&mut stage.database().await).await.unwrap();
        assert_eq!(rows, 1, "{table}");
    }
}

#[tokio::test]
async fn what_was_answered_outlives_the_instance_and_what_was_not_is_whole() {
    let stage = Stage::set().await;
    let mut instance = Instance::start(&stage, &[]);
    instance.ready().await;
    stage.create("ann@example.com", &["user"]).await;
    let mut token = stage.log_in("ann@example.com", PASSWORD).await.unwrap().refresh_token;
    let mut registered = Vec::new();
    for round in 0..4 {
        let work = async {
            let mut registered = Vec::new();
            let mut token = token.clone();
            for number in 0..1000 {
                let (email, password) = (format!("user{round}x{number}@example.com"), PASSWORD.to_owned());
                let register = RegisterUser { email: email.clone(), password, name: None, ip_address: None };
                let limit = Duration::from_secs(2);
                match tokio::time::timeout(limit, stage.call(None, register)).await {
                    Ok(Ok(_)) => registered.push(email),
                    _ => break,
                }
                match tokio::time::timeout(limit, stage.call(None, refreshing(&token))).await {
                    Ok(Ok(next)) => token = next.refresh_token,
                    _ => break,
                }
            }
            (registered, token)
        };
        let killing = async {
            sleep(Duration::from_millis(400 + 130 * round)).await;
            instance.kill();
        };
        let (done, ()) = tokio::join!(work, killing);
        registered.extend(done.0);
        instance = Instance::start(&stage, &[]);
        instance.ready().await;
        // a trade that nobody heard of may have happened: then the old token is used up, and the session goes on being
        // somebody else's to lose
        token = match stage.call(None, refreshing(&done.1)).await {
            Ok(next) => next.refresh_token,
            Err(fault) => {
                assert_eq!(fault.code, FaultCode::Unauthorized);
                stage.log_in("ann@example.com", PASSWORD).await.unwrap().refresh_token
            }
        };
    }
    assert!(!registered.is_empty());
    for email in &registered {
        assert!(stage.log_in(email, PASSWORD).await.is_ok(), "{email} was registered, and is not there");
    }
    // an account, its password and its event are there together or not at all
    let sql = "select count(*) from auth_accounts a full join credentials c using (user_id)
        full join (select event_data->>'userId' as user_id from events where event_type = 'UserCreated') e using (user_id)
        where a.user_id is null or c.user_id is null or e.user_id is null";
    let halves: i64 = sqlx::query_scalar(sql).fetch_one(&mut stage.database().await).await.unwrap();
    assert_eq!(halves, 0);
    let sql = "select count(*) from (select session_id from auth_refresh_tokens where used_at is null
        group by session_id having count(*) > 1) s";
    let doubled: i64 = sqlx::query_scalar(sql).fetch_one(&mut stage.database().await).await.unwrap();
    assert_eq!(doubled, 0, "sessions with two tokens that are good");
}
