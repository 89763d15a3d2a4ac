//! A real S3 server on a folder, in this process; it can go away and come back at the same address.

use anyhow::Result;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// Name of the only bucket.
pub const BUCKET: &str = "weir";
/// The only key and its secret.
pub const KEY: &str = "tester";
/// Of the key.
pub const SECRET: &str = "only-for-tests";

/// The server.
pub struct Bucket {
    service: S3Service,
    address: SocketAddr,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl Bucket {
    /// Serves a folder at a free port of an address.
    pub async fn start(folder: &Path, host: IpAddr) -> Result<Self> {
        std::fs::create_dir_all(folder.join(BUCKET))?;
        let files = s3s_fs::FileSystem::new(folder).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?;
        let bucket = Self { service: builder.build(), address, serving: Mutex::default() };
        bucket.take_from(listener);
        Ok(bucket)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it and all connections to it.
    pub fn go_away(&self) {
        if let Some(serving) = self.serving.lock().unwrap_or_else(PoisonError::into_inner).take() {
            serving.abort();
        }
    }

    /// Serves again.
    pub async fn come_back(&self) -> Result<()> {
        self.take_from(TcpListener::bind(self.address).await?);
        Ok(())
    }

    fn take_from(&self, listener: TcpListener) {
        let service = self.service.clone();
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                connections.spawn(async move {
                    // Its end is the client's business.
                    let _ended = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
                });
                while connections.try_join_next().is_some() {}
            }
        });
        *self.serving.lock().unwrap_or_else(PoisonError::into_inner) = Some(serving);
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.go_away();
    }
}
