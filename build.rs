//! Makes an empty board of the migrations, which a first start writes as it is. Packs the program's relocations where the
//! system can read that.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sqlx::{
    ConnectOptions, Connection,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode},
};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(make_empty_board(&out.join("empty.db")))?;
    if packs_relocations() {
        // 700 KiB that every start would read and an idle server would keep.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    Ok(())
}

/// The same bytes whenever and wherever it is made.
async fn make_empty_board(path: &Path) -> Result<(), Box<dyn Error>> {
    if path.exists() {
        fs::remove_file(path)?;
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.journal_mode(SqliteJournalMode::Memory).connect().await?;
    Migrator::new(Path::new("migrations")).await?.run(&mut connection).await?;
    execute(&mut connection, "UPDATE _sqlx_migrations SET installed_on = '1970-01-01', execution_time = 0")
        .await?;
    execute(&mut connection, "VACUUM").await?;
    execute(&mut connection, "PRAGMA journal_mode = WAL").await?;
    // The last one that closes it removes its log.
    Ok(connection.close().await?)
}

async fn execute(connection: &mut SqliteConnection, statement: &'static str) -> sqlx::Result<()> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}

/// glibc can since 2.36. Programs are built where they run, or in an image like that; for any other target nothing is known.
fn packs_relocations() -> bool {
    let is_native = env::var("HOST").ok() == env::var("TARGET").ok();
    let is_glibc = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "gnu")
        && env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    is_native && is_glibc && glibc().is_some_and(|version| version >= (2, 36))
}

fn glibc() -> Option<(u32, u32)> {
    let told = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let told = String::from_utf8(told.stdout).ok()?;
    let (major, minor) = told.trim().strip_prefix("glibc ")?.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
