//! A name server of the smallest kind: it answers TXT questions over UDP, from a table.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record};
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::client::DEADLINE;

/// What it answers at one name.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// TXT records, each of several strings.
    Texts(Vec<Vec<String>>),
    /// It cannot say.
    Failure,
}

impl Answer {
    /// TXT records, each of one string.
    pub(crate) fn texts(values: &[&str]) -> Self {
        Self::Texts(values.iter().map(|&value| vec![value.to_owned()]).collect())
    }
}

type Table = Arc<Mutex<BTreeMap<String, Answer>>>;

/// Answers until it is dropped. A name that is not in its table does not exist.
pub(crate) struct NameServer {
    pub(crate) address: SocketAddr,
    table: Table,
    asked: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let table = Table::default();
        let (counted, asked) = watch::channel(0);
        let task = tokio::spawn(serve(socket, table.clone(), counted));
        Self {
            address,
            table,
            asked,
            task,
        }
    }

    /// From now on it answers this at the name.
    pub(crate) fn set(&self, name: &str, answer: Answer) {
        let mut table = self.table.lock().unwrap();
        table.insert(format!("{name}."), answer);
    }

    /// Waits until it was asked as many times more.
    pub(crate) async fn asked(&self, times: usize) {
        let mut asked = self.asked.clone();
        let before = *asked.borrow();
        let enough = asked.wait_for(|count| *count >= before + times);
        tokio::time::timeout(DEADLINE, enough)
            .await
            .unwrap()
            .unwrap();
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, table: Table, counted: watch::Sender<usize>) {
    let mut buffer = vec![0; 4096];
    loop {
        let (length, caller) = socket.recv_from(&mut buffer).await.unwrap();
        let question = Message::from_vec(&buffer[..length]).unwrap();
        let answer = answered(&question, &table.lock().unwrap());
        socket
            .send_to(&answer.to_vec().unwrap(), caller)
            .await
            .unwrap();
        counted.send_modify(|count| *count += 1);
    }
}

fn answered(question: &Message, table: &BTreeMap<String, Answer>) -> Message {
    let query = question.queries[0].clone();
    let name = query.name().clone();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.add_query(query);
    let texts = match table.get(&name.to_string()) {
        Some(Answer::Texts(texts)) => texts.clone(),
        Some(Answer::Failure) => {
            answer.metadata.response_code = ResponseCode::ServFail;
            Vec::new()
        }
        None => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            Vec::new()
        }
    };
    for strings in texts {
        let text = RData::TXT(TXT::new(strings));
        answer.add_answer(Record::from_rdata(name.clone(), 300, text));
    }
    answer
}
