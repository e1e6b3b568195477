//! Certificates, and servers that want them.

use std::path::Path;
use std::process::Command;

use session_core::{BoxError, Error, SessionStore};
use session_store_redis::RedisStore;

use crate::server::{Server, free_port};
use crate::{check, key, record, words};

/// Makes an authority, a server's certificate for `localhost` and a client's, in PEM files of the folder.
fn certificates(folder: &Path) -> Result<(), BoxError> {
    let script = "set -e; cd \"$1\"
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' >names
        for who in server client; do
            openssl req -newkey rsa:2048 -nodes -subj /CN=$who -keyout $who.key -out $who.csr
            openssl x509 -req -in $who.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out $who.pem
        done";
    let done = Command::new("sh").args(["-c", script, "sh"]).arg(folder).output()?;
    check(done.status.success(), || String::from_utf8_lossy(&done.stderr).into_owned())
}

/// The folder of certificates of a test, which goes with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn make() -> Result<Self, BoxError> {
        let folder =
            Self(std::env::temp_dir().join(format!("redis-tls-{:x}", session_core::Revision::fresh().number())));
        std::fs::create_dir(&folder.0)?;
        certificates(&folder.0)?;
        Ok(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub(crate) async fn server() -> Result<(), BoxError> {
    let folder = Folder::make()?;
    let [ca, cert, certs_key] = ["ca.pem", "server.pem", "server.key"].map(|name| folder.file(name));
    let port = free_port()?.to_string();
    let options =
        ["--tls-port", &port, "--tls-ca-cert-file", &ca, "--tls-cert-file", &cert, "--tls-key-file", &certs_key];
    let mut server = Server::start(&[&options[..], &["--tls-auth-clients", "no"]].concat()).await?;
    let url = format!("rediss://localhost:{port}");
    let trusted = format!("{url}?cacert={ca}");
    let store = RedisStore::open(&trusted).await?;
    store.create(&key(0), &record()?).await?;
    check(store.delete(&key(0)).await?, || "it was there".into())?;
    let untrusted = RedisStore::open(&url).await?.load(&key(0)).await;
    check(matches!(&untrusted, Err(error @ Error::Backend(_)) if words(error).contains("UnknownIssuer")), || {
        format!("{untrusted:?}")
    })?;
    server.tell(&["CONFIG", "SET", "tls-auth-clients", "yes"]).await?;
    let without = RedisStore::open(&trusted).await?.load(&key(0)).await;
    check(without.is_err(), || "a client without a certificate is let in".into())?;
    let (cert, certs_key) = (folder.file("client.pem"), folder.file("client.key"));
    let store = RedisStore::open(&format!("{trusted}&cert={cert}&key={certs_key}")).await?;
    store.create(&key(0), &record()?).await?;
    // Wrong files are told at once.
    for bad in [format!("{url}?cacert=/nowhere"), format!("{trusted}&cert={cert}")] {
        let refused = RedisStore::open(&bad).await;
        check(matches!(refused, Err(Error::Backend(_))), || format!("{bad}: {refused:?}"))?;
    }
    Ok(())
}

pub(crate) async fn sentinel() -> Result<(), BoxError> {
    let folder = Folder::make()?;
    let [ca, cert, certs_key] = ["ca.pem", "server.pem", "server.key"].map(|name| folder.file(name));
    let (redis_port, sentinel_port) = (free_port()?.to_string(), free_port()?.to_string());
    let tls = format!(
        "tls-ca-cert-file {ca}\ntls-cert-file {cert}\ntls-key-file {certs_key}\ntls-auth-clients no\ntls-replication yes\n"
    );
    let master_conf = folder.file("master.conf");
    std::fs::write(&master_conf, format!("{tls}tls-port {redis_port}\nuser shop on >shop-word ~* &* +@all\n"))?;
    let _master = Server::start(&[&master_conf]).await?;
    let sentinel_conf = folder.file("sentinel.conf");
    std::fs::write(
        &sentinel_conf,
        format!(
            "{tls}port 0\ntls-port {sentinel_port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {redis_port} 1\n\
             sentinel auth-user main shop\nsentinel auth-pass main shop-word\n\
             user watch on >watch-word &* +@all\n"
        ),
    )?;
    let _sentinel = Server::start_as("redis-sentinel", &[&sentinel_conf]).await?;
    let url = |password: &str| {
        format!(
            "rediss+sentinel://shop:shop-word@localhost:{sentinel_port}/main?cacert={ca}\
             &sentinel_user=watch&sentinel_password={password}"
        )
    };
    let store = RedisStore::open(&url("watch-word")).await?;
    store.create(&key(0), &record()?).await?;
    check(store.delete(&key(0)).await?, || "it was there".into())?;
    let wrong = RedisStore::open(&url("wrong-word")).await?.load(&key(0)).await;
    check(matches!(&wrong, Err(error @ Error::Backend(_)) if !words(error).contains("wrong-word")), || {
        format!("{wrong:?}")
    })
}
