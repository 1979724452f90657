/** The commented spec that `strata init` prints. A spec proves that it is a good one. */
export const sampleSpec = (name: string, schema = './cluster.schema.json'): string =>
  `# yaml-language-server: $schema=${schema}
# A cluster. Check this file with \`strata validate -f FILE\`, see what would happen with \`strata plan -f FILE\`.
apiVersion: strata/v1
kind: Cluster
metadata:
  name: ${name}
spec:
  distribution:
    kind: k3s # k3s (small; downloaded from its vendor, or laid into a mirror: catalog/README.md) | kubernetes (kubeadm; also built from package registries; needed for \`bundles\`)
    # version: 1.34.4+k3s1 # default: the newest of the catalog
  network:
    podCidr: 10.244.0.0/16 # neither may overlap a network of your machines
    serviceCidr: 10.96.0.0/12
    # proxy: { http: http://proxy.example:3128 } # for downloads only, as caCertificates: docs/proxy.md
  nodes:
    - name: n1
      address: 10.0.0.11
      role: control-plane # also runs workloads
      ssh:
        user: root
        # hostKey: SHA256:… # as \`ssh-keygen -lf\` prints it; else your known_hosts decides
        # keyFile: ~/.ssh/id_ed25519 # default: what ~/.ssh/config and ~/.ssh offer
        # passwordFrom: prompt # or env:NAME, file:PATH
        # sudoPasswordFrom: same # for a user who is not root: same, prompt, env:NAME, file:PATH
    - name: n2
      address: 10.0.0.12
      role: worker
      ssh: { user: root }
    # - name: n3
    #   role: worker
    #   join: token # no SSH: \`strata node join-command n3\` prints a line to run there
  native:
    packages: [gcc, net-tools] # on every node, beside what Kubernetes itself needs; [] for none
    swap: keep # or off
    firewall: open-ports # or ignore
  # storage: { kind: juicefs } # one file system over all nodes, at /strata/rootfs; needs the next line too: docs/storage.md
  # artifacts: { allowUnofficial: true }
  policy:
    nodeWait: 2m # a node silent for longer is left behind and finished when it returns
    onFailure: hold # or unwind: take back what the run changed
`.trimEnd();
