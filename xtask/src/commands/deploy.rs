//! `cargo xtask deploy`: puts the Worker on a Cloudflare account with wrangler. Safe to repeat: it creates what is missing, sets
//! each secret once, applies new migrations, deploys, and prints the owner's link.
//!
//! What it decided is in `.hubbub/deploy.json`: keep a copy of that file, since the account never shows a secret again.

mod account;
mod config;

use std::{
    env,
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
    thread::sleep,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use self::account::Account;
use super::owner_link;
use crate::{
    admin::Admin,
    data_folder::{Identity, default_path, read_private, write_private},
    process::run,
    progress::{note, step},
    tools::Tools,
    worker::{self, Profile},
    workspace::{cache, root},
    wrangler_config::WranglerConfig,
};

const FILE: &str = "deploy.json";
const ANSWER_ATTEMPTS: u32 = 20;

/// Deploy to Cloudflare, or with --dry-run only check that it would work
#[derive(Args)]
pub struct Deploy {
    /// Build and bundle as a deployment would, without network or account
    #[arg(long)]
    dry_run: bool,
    /// The part after the colon of every user; needed at the first deployment, fixed from then on
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Where the server is reached, such as `https://matrix.example.org`; needed at the first deployment
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Who may register
    #[arg(long, value_enum, default_value_t)]
    registration: crate::embedded::Registration,
    /// Where objects are made, near the owner: wnam, enam, weur, eeur, apac, oc, sam, afr or me
    #[arg(long, value_name = "REGION")]
    location_hint: Option<String>,
    /// Do not wait for the deployment to answer with the owner's link
    #[arg(long)]
    no_link: bool,
    /// Where the deployment's secrets are kept [default: .hubbub in the checkout]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Deploy a Worker that is built already, for tests of this command
    #[arg(long, value_name = "DIR", hide = true)]
    worker: Option<PathBuf>,
}

/// What a deployment must remember.
#[derive(Serialize, Deserialize)]
struct Deployment {
    #[serde(flatten)]
    identity: Identity,
    public_url: String,
    location_hint: String,
}

impl Deploy {
    /// Deploys, or checks.
    pub fn run(self) -> Result<ExitCode> {
        let tools = Tools::install()?;
        let worker = match &self.worker {
            Some(folder) => folder.clone(),
            None => worker::build(&tools, Profile::Release)?,
        };
        if self.dry_run {
            dry_run(&tools)?;
        } else {
            self.deploy(&tools, &worker)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn deploy(&self, tools: &Tools, worker: &Path) -> Result<()> {
        let folder = self.data.clone().map_or_else(|| Ok(default_path()), std::path::absolute)?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let config = WranglerConfig::read()?;
        let account = Account::new(tools);
        let set = account.secrets(&config.name)?;
        let deployment = self.deployment(&folder.join(FILE), !set.is_empty())?;

        let mut ids = Vec::new();
        for database in &config.d1_databases {
            let name = &database.database_name;
            let id = step(&format!("D1 database {name}"), || account.database(name))?;
            ids.push((database.binding.clone(), id));
        }
        for namespace in &config.kv_namespaces {
            let title = format!("{}-{}", config.name, namespace.binding.to_lowercase());
            let id = step(&format!("KV namespace {title}"), || account.namespace(&title))?;
            ids.push((namespace.binding.clone(), id));
        }
        for bucket in &config.r2_buckets {
            step(&format!("R2 bucket {}", bucket.bucket_name), || account.bucket(&bucket.bucket_name))?;
        }

        let path = folder.join("wrangler.json");
        write_private(&path, &config::deployed(&deployment, worker, self.registration, &ids)?)?;
        for database in &config.d1_databases {
            step(&format!("D1 migrations of {}", database.database_name), || {
                account.migrate(&path, &database.binding)
            })?;
        }
        step("Worker", || account.deploy(&path, &deployment.missing_secrets(&set)))?;
        if self.no_link { Ok(()) } else { print_link(&deployment) }
    }

    /// What was decided at the first deployment, with what may change since.
    fn deployment(&self, path: &Path, deployed_before: bool) -> Result<Deployment> {
        let mut deployment = match read_private::<Deployment>(path)? {
            Some(known) => known,
            None if deployed_before => bail!(
                "this account has a deployment with secrets, but {} is missing here: copy it from where the first deployment was made",
                path.display()
            ),
            None => Deployment {
                identity: Identity::generate(Some(
                    self.server_name.as_deref().context("the first deployment needs --server-name")?,
                ))?,
                public_url: self.public_url.clone().context("the first deployment needs --public-url")?,
                location_hint: String::new(),
            },
        };
        if self.server_name.as_ref().is_some_and(|name| *name != deployment.identity.server_name) {
            bail!("this deployment is {}, and a server's name can never change", deployment.identity.server_name);
        }
        if let Some(url) = &self.public_url {
            deployment.public_url.clone_from(url);
        }
        if let Some(hint) = &self.location_hint {
            deployment.location_hint.clone_from(hint);
        }
        // Before anything is created: what is cut short goes on with the same secrets.
        write_private(path, &deployment)?;
        Ok(deployment)
    }
}

impl Deployment {
    /// Secrets that the account does not have yet. One that is set is never set again.
    fn missing_secrets(&self, set: &[String]) -> Vec<(&'static str, &str)> {
        let all = [
            ("MASTER_KEY", self.identity.master_key.as_str()),
            ("SIGNING_KEY", self.identity.signing_key.as_str()),
            ("ADMIN_TOKEN", self.identity.admin_token.as_str()),
            ("REGISTRATION_TOKEN", self.identity.registration_token.as_str()),
        ];
        all.into_iter().filter(|(name, _)| !set.iter().any(|known| known == name)).collect()
    }
}

/// `wrangler deploy --dry-run` with a home of its own: no account, no network.
fn dry_run(tools: &Tools) -> Result<()> {
    let home = cache()?.join("wrangler-home");
    fs::create_dir_all(&home)?;
    let output = root().join("target/hubbub-deploy");
    let mut wrangler = tools.wrangler()?;
    wrangler.args(["deploy", "--dry-run", "--outdir"]).arg(&output).current_dir(root());
    // wrangler calls `cargo xtask build`, which must find its own home.
    for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let own = env::var_os("HOME").map(|home| PathBuf::from(home).join(folder));
        if let (None, Some(own)) = (env::var_os(variable), own) {
            wrangler.env(variable, own);
        }
    }
    wrangler.env("HUBBUB_CACHE", cache()?).env("HOME", &home).env_remove("XDG_CONFIG_HOME");
    run(&mut wrangler)?;
    note(format_args!("the bundle is in {}", output.display()));
    Ok(())
}

fn print_link(deployment: &Deployment) -> Result<()> {
    let admin = Admin::new(&deployment.public_url, &deployment.identity.admin_token);
    let mut attempt = 1;
    let link = loop {
        match owner_link::request(&admin) {
            Ok(link) => break link,
            // A new address takes a while to reach everywhere.
            Err(_) if attempt < ANSWER_ATTEMPTS => sleep(Duration::from_secs(3)),
            Err(error) => {
                println!(
                    "deployed, but {} does not answer yet; later: `cargo xtask owner-link --deployed`",
                    deployment.public_url
                );
                return Err(error);
            }
        }
        attempt += 1;
    };
    println!("ready {}", deployment.public_url);
    if link.owner_exists {
        println!("The owner exists. `cargo xtask owner-link --deployed` makes a new link for who forgot the password.");
    } else {
        println!("Open this one-time link to choose the owner's name and password:\n  {}", link.url);
    }
    Ok(())
}

/// The admin endpoints of the deployed server.
pub fn connect() -> Result<Admin> {
    let deployment =
        read_private::<Deployment>(&default_path().join(FILE))?.context("nothing was deployed from this checkout")?;
    Ok(Admin::new(&deployment.public_url, &deployment.identity.admin_token))
}
