#pragma once
#include "base/result.h"
#include "k8sclient/config.h"
#include "k8sclient/kubeconfig_files.h"

#include <string>

// The user of a kubeconfig. Private to k8sclient.
namespace routelet::k8s {

// `key` names a file, `key`-data is its content in base64 and wins.
Result<PemSource> pem_of(const KubeconfigMap& from, const std::string& key);

// Who we are, by the user's entry, into `config`, and that the files it names can be used. `cluster` is the
// cluster's entry, which may hold what a credential plugin is to be told. Throws YAML::Exception as
// kubeconfig_files.h says.
Result<> read_user(const KubeconfigMap& user, const KubeconfigMap& cluster, ClusterConfig& config);

} // namespace routelet::k8s
