//! Files of 1 MB, up and down: they stream between the client and R2.

use anyhow::{Context, Result};

use super::figures::{Figure, Target, bill_of, cost_of, times};
use crate::load::{
    connection::{Call, Reply},
    stage::Stage,
    user::{User, text},
};

const UPLOAD: &str = "/_matrix/media/v3/upload";
const SIZE: usize = 1_000_000;

/// A file that differs from all others: equal bytes would be stored once.
fn file(number: usize) -> String {
    let start = format!("file {number} ");
    let rest = "0123456789".repeat(SIZE / 10);
    start.chars().chain(rest.chars()).take(SIZE).collect()
}

fn upload(user: &mut User, body: &str, bill: Option<&str>) -> Result<(String, Reply)> {
    let token = user.token.clone();
    let call = Call { bill, ..Call::new("POST", UPLOAD, body).with_token(&token) };
    let reply = user.connection.send(&call)?;
    let uri = text(&reply.success("upload")?, "/content_uri")?;
    let path = uri.strip_prefix("mxc://").context("no mxc address")?;
    Ok((format!("/_matrix/client/v1/media/download/{path}"), reply))
}

fn download(user: &mut User, path: &str, bill: Option<&str>) -> Result<Reply> {
    let token = user.token.clone();
    let reply = user.connection.send(&Call { bill, ..Call::get(path).with_token(&token) })?;
    anyhow::ensure!((reply.status, reply.body.len()) == (200, SIZE), "download: {} {}", reply.status, reply.body.len());
    Ok(reply)
}

/// Uploads of new files, and downloads of one.
pub(super) fn up_and_down(stage: &mut Stage) -> Result<Vec<Figure>> {
    let mut user = stage.user("media")?;
    let admin_token = stage.server.identity.admin_token.clone();
    let mut meter = stage.meter();
    let files: Vec<String> = (0..40).map(file).collect();
    for number in 100..105 {
        upload(&mut user, &file(number), None)?;
    }
    let (up, up_cost) = cost_of(&mut meter, || {
        times(files.len(), |number| {
            let body = files.get(number).context("no file")?;
            upload(&mut user, body, None).map(drop)
        })
    })?;
    let (path, up_bill) = upload(&mut user, &file(200), Some(&admin_token))?;
    let (down, down_cost) = cost_of(&mut meter, || times(60, |_| download(&mut user, &path, None).map(drop)))?;
    let down_bill = download(&mut user, &path, Some(&admin_token))?;
    let (up_count, down_count) = (up.len(), down.len());
    Ok(vec![
        Figure::of_times("media 1 MB up", up)
            .with_target(Target::MostMs(20.0))
            .with_own(bill_of(&up_bill)?)
            .with_all(up_cost, up_count),
        Figure::of_times("media 1 MB down", down)
            .with_target(Target::MostMs(10.0))
            .with_own(bill_of(&down_bill)?)
            .with_all(down_cost, down_count),
    ])
}
